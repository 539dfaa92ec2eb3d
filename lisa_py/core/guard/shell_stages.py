"""Split a shell line into its stages, as rules for tools see them: quotes hide, nothing is expanded."""

from __future__ import annotations

import re

from msgspec import Struct

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_WRAPPERS = {
    "timeout": (r"-(?:k|s)|--(?:kill-after|signal)", r"-[vfp]+|--(?:foreground|preserve-status|verbose)", 1),
    "time": (r"-[of]|--(?:output|format)", r"-[apvV]+|--(?:append|portability|verbose)", 0),
    "nice": (r"-n|--adjustment", r"-\d+|--\d+", 0),
    "nohup": ("", "", 0),
    "stdbuf": (r"-[ioe]|--(?:input|output|error)", "", 0),
    "xargs": ("", "", 0),
}
"""Programs that run the command behind their arguments: options with a value, options without, number of operands."""
_WORD = r"[\w.-]+"
_HEREDOC = re.compile(
    rf"<<-?[ \t]*(?:(?P<plain>{_WORD})|'(?P<single>{_WORD})'|\"(?P<double>{_WORD})\"|\\(?P<escaped>{_WORD}))"
    r"(?=[\s;|&<>)]|\Z)"
)
_REDIRECTION = re.compile(r"\d*(?:<<<|<<-?|<>|<&|<|&>>|&>|>>|>\||>&|>)(?P<target>.*)", re.DOTALL)
_BLANKS = " \t"
_KEYWORDS = frozenset(("!", "if", "then", "elif", "else", "while", "until", "do", "coproc"))
_MAX_DEPTH = 50
"""Deeper substitutions are not read."""


class ShellStage(Struct, frozen=True):
    """One command of a line, without the wrappers and assignments before it."""

    words: tuple[str, ...]
    """As written, quotes included."""
    values: tuple[str, ...]
    """The same words without their quotes."""
    opaque: bool = False
    """It runs something that its words do not show: a substitution, a subshell, a group, an unclosed quote."""

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def value(self) -> str:
        return " ".join(self.values)

    @property
    def command(self) -> str:
        """The value without words of the shell's grammar before it: `then rm x` runs `rm x`."""
        pairs = list(zip(self.words, self.values, strict=True))
        while pairs and pairs[0][0] in _KEYWORDS:
            pairs = pairs[1 + _count_prefix(pairs[1:]) :]
        return " ".join(value for _, value in pairs)


def split_stages(line: str) -> tuple[ShellStage, ...]:
    """Return the stages between `|`, `||`, `&`, `&&`, `;`, `|&` and newlines; none for a line without a command."""
    return _Splitter(line).split()


class _Splitter:
    """Reads a line from left to right."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0
        self._stages: list[ShellStage] = []
        self._words: list[tuple[str, str]] = []
        self._raw = ""
        self._value = ""
        self._opaque = False
        self._heredocs: list[tuple[str, bool]] = []
        self._depth = 0
        self._plain = ""
        """The character before, if it is neither quoted nor escaped."""

    def split(self) -> tuple[ShellStage, ...]:
        while self._at < len(self._line):
            self._read_next()
        self._end_stage()
        return tuple(self._stages)

    def _read_next(self) -> None:
        line, at = self._line, self._at
        char = line[at]
        if char == "\\":
            self._read_escape()
        elif char == "'" or line.startswith("$'", at):
            self._read_single_quotes()
        elif char == '"':
            self._read_double_quotes()
        elif char in "`(":
            self._read_group(char)
        elif char == "{":
            self._opaque = True
            self._take(1)
        elif char in _BLANKS:
            self._end_word()
            self._at += 1
            self._plain = ""
        elif char == "\n":
            self._at += 1
            self._skip_heredocs()
            self._end_stage()
        elif char == "#" and not self._raw:
            self._skip_comment()
        elif char in "<>":
            self._read_redirection()
        elif char in ";|&" and not self._is_redirection():
            self._end_stage()
            self._at += 1
        elif char == "&" and self._plain not in ("<", ">"):
            self._end_word()
            self._take(1)
        else:
            self._take(1)

    def _read_redirection(self) -> None:
        """Begin a word of its own, but after the number of a file and inside of an operator."""
        if self._raw.strip("0123456789&<>") or self._raw != self._value:
            self._end_word()
        if self._line.startswith("<<", self._at):
            self._read_heredoc_start()
        else:
            self._take(1)

    def _skip_comment(self) -> None:
        end = self._line.find("\n", self._at)
        self._at = len(self._line) if end < 0 else end

    def _is_redirection(self) -> bool:
        """Return True for the `&` of `2>&1` and `&>file`, and the `|` of `>|file`."""
        char = self._line[self._at]
        return (self._plain == ">" and char in "&|") or (
            char == "&" and (self._plain == "<" or self._line.startswith("&>", self._at))
        )

    def _take(self, count: int, value: str | None = None) -> None:
        """Add characters to the word."""
        part = self._line[self._at : self._at + count]
        self._plain = part if value is None else ""
        self._raw += part
        self._value += part if value is None else value
        self._at += count

    def _read_escape(self) -> None:
        if self._line.startswith("\\\n", self._at):
            self._at += 2  # the line continues
        else:
            self._take(2, self._line[self._at + 1 : self._at + 2])

    def _read_single_quotes(self) -> None:
        start = self._at
        escapes = self._line[start] == "$"
        at = start + 1 + escapes
        while at < len(self._line) and self._line[at] != "'":
            at += 2 if escapes and self._line[at] == "\\" else 1
        self._opaque |= at >= len(self._line)
        self._take(at + 1 - start, self._line[start + 1 + escapes : at])

    def _read_double_quotes(self) -> None:
        self._take(1, "")
        while self._at < len(self._line) and self._line[self._at] != '"':
            if self._line[self._at] == "\\":
                self._read_escape()
            elif self._line[self._at] == "`":
                self._read_group("`")
            elif self._line.startswith("$(", self._at):
                self._take(1)
                self._read_group("(")
            else:
                self._take(1)
        self._opaque |= self._at >= len(self._line)
        self._take(1, "")

    def _read_group(self, opening: str) -> None:
        """Read a substitution or a subshell: the words of the stage no longer show what it runs."""
        self._opaque = True
        self._depth += 1
        self._take(1)
        closing = "`" if opening == "`" else ")"
        if self._depth > _MAX_DEPTH:
            self._at = len(self._line)
        while self._at < len(self._line) and self._line[self._at] != closing:
            self._read_in_group(nested=closing == ")")
        self._take(1)
        self._depth -= 1

    def _read_in_group(self, *, nested: bool) -> None:
        char = self._line[self._at]
        if char == "\\":
            self._read_escape()
        elif char == "'" or self._line.startswith("$'", self._at):
            self._read_single_quotes()
        elif char == '"' and nested:
            self._read_double_quotes()
        elif char in "(`" and nested:
            self._read_group(char)
        elif char == "#" and nested and self._line[self._at - 1] in " \t\n(;&|":
            self._skip_comment()
        elif self._line.startswith("<<", self._at):
            self._read_heredoc_start()
        else:
            self._take(1)
            if char == "\n":
                self._skip_heredocs()

    def _read_heredoc_start(self) -> None:
        """Read `<<WORD`; its lines follow at the next newline. `<<<` is a word as any other."""
        if self._line.startswith("<<<", self._at):
            self._take(3)
            return
        found = _HEREDOC.match(self._line, self._at)
        if found is None:  # the end of the document is not known for certain
            self._opaque = True
            self._take(2)
            return
        quoted = found["single"] or found["double"] or found["escaped"]
        self._heredocs.append((found["plain"] or quoted, bool(quoted)))
        self._take(found.end() - self._at)

    def _skip_heredocs(self) -> None:
        """Skip the lines of the documents announced in this line; one that expands may run a command."""
        for delimiter, quoted in self._heredocs:
            row = None
            while self._at < len(self._line) and row != delimiter:
                row, _, _ = self._line[self._at :].partition("\n")
                self._at += len(row) + 1
                row = row.lstrip("\t")
                self._opaque |= not quoted and ("`" in row or "$(" in row)
            self._opaque |= row != delimiter
        self._heredocs = []

    def _end_word(self) -> None:
        if self._raw:
            self._words.append((self._raw, self._value))
        self._raw = self._value = ""

    def _end_stage(self) -> None:
        self._end_word()
        if self._words:
            words = self._words[_count_prefix(self._words) :]
            raw, values = tuple(word for word, _ in words), tuple(value for _, value in words)
            self._stages.append(ShellStage(raw, values, self._opaque))
        self._words, self._opaque, self._plain = [], False, ""


def _count_prefix(pairs: list[tuple[str, str]]) -> int:
    """Return the number of words before the command: redirections, assignments, and wrappers with their arguments."""
    words = [value for _, value in pairs]
    at = 0
    while at < len(words):
        redirection = _REDIRECTION.fullmatch(pairs[at][0])
        if redirection:
            at += 1 if redirection["target"] else 2
        elif _ASSIGNMENT.match(words[at]):
            at += 1
        elif words[at] in _WRAPPERS and (after := _skip_wrapper(words, at)):
            at = after
        else:
            break
    return at


def _skip_wrapper(words: list[str], at: int) -> int:
    """Return the place of the word after a wrapper and its arguments; 0 if they are unknown or nothing follows."""
    with_value, without, operands = _WRAPPERS[words[at]]
    at += 1
    while at < len(words) and words[at].startswith("-"):
        if with_value and re.fullmatch(with_value, words[at]):
            at += 2
        elif (without and re.fullmatch(without, words[at])) or (
            with_value and re.match(rf"(?:{with_value})(?:(?<=-[a-z])|=)\S", words[at])
        ):
            at += 1
        else:
            return 0
    at += operands
    return at if at < len(words) else 0
