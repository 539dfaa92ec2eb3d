"""Split a shell line into its stages, as rules for tools see them: quotes hide, nothing is expanded."""

from __future__ import annotations

import re

from msgspec import Struct

from lisa_py.contract.late_pattern import compile_late

ASSIGNMENT = compile_late(r"[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\+?=")
COMMAND_VARIABLE = compile_late(
    r"(?:PROMPT_COMMAND|EDITOR|VISUAL|PAGER|MANPAGER|BROWSER|LESSOPEN|SUDO_EDITOR|(?:SUDO|SSH|GIT)_ASKPASS"
    r"|GIT_\w*(?:EDITOR|PAGER|SSH|COMMAND|DIFF))\+?=|BASH_FUNC_[^=]*="
)
"""Variables of which the value is a command."""
_LOADING_VARIABLE = compile_late(r"(?:PATH|ENV|BASH_ENV|PS4|SHELLOPTS|LD_\w+|DYLD_\w+|GIT_(?:CONFIG|EXEC_PATH)\w*)\+?=")
"""Variables that change which programs run."""
_HARMLESS_COMMANDS = ("", "cat", "true", ":")
_ARRAY = compile_late(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_WRAPPERS = {
    "timeout": (r"-(?:k|s)|--(?:kill-after|signal)", r"-[vfp]+|--(?:foreground|preserve-status|verbose)", 1),
    "time": (r"-[of]|--(?:output|format)", r"-[apvV]+|--(?:append|portability|verbose)", 0),
    "nice": (r"-n|--adjustment", r"-\d+|--\d+", 0),
    "nohup": ("", "", 0),
    "stdbuf": (r"-[ioe]|--(?:input|output|error)", "", 0),
    "xargs": ("", "", 0),
}
"""Programs that run the command after their arguments: options with a value, options without, number of operands."""
_WORD = r"[\w.-]+"
_HEREDOC = compile_late(
    rf"<<-?[ \t]*(?:(?P<plain>{_WORD})|'(?P<single>{_WORD})'|\"(?P<double>{_WORD})\"|\\(?P<escaped>{_WORD}))"
    r"(?=[\s;|&<>)]|\Z)"
)
REDIRECTION = compile_late(r"\d*(?:<<<|<<-?|<>|<&|<|&>>|&>|>>|>\||>&|>)(?P<target>.*)", re.DOTALL)
_BLANKS = " \t"
_ARITHMETIC = compile_late(r"[^'\"\\#\n]*")
_EXPANSION = compile_late(r"\$(?:[A-Za-z0-9_@*#?!$-]|\\\n)")
_MAX_ARITHMETIC = 2000
_MAX_DEPTH = 50
"""Deeper substitutions are not read."""


class ShellWord(Struct, frozen=True):
    """One word of a line."""

    raw: str
    """As written, quotes included."""
    value: str
    """The same without its quotes."""
    varies: bool = False
    """The shell replaces a part of it: a variable, a substitution, a pattern of file names, braces."""


class ShellStage(Struct, frozen=True):
    """One command of a line."""

    every_word: tuple[ShellWord, ...]
    start: int = 0
    """Number of redirections, assignments and wrappers before the command."""
    opaque: bool = False
    """It runs something that its words do not show: a substitution, a subshell, a group, an unclosed quote."""
    broken: bool = False
    """Where it ends is not certain: an unclosed quote or group, too deep a nesting."""
    scripts: tuple[str, ...] = ()
    """Source of its substitutions, subshells and backticks; without those in them."""
    documents: tuple[str, ...] = ()
    """Its here-documents."""
    is_pattern: bool = False
    """It ends with a parenthesis that closes no group: a pattern of `case`."""
    is_piped: bool = False
    """It is behind a `|`."""

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the command as written."""
        return tuple(word.raw for word in self.every_word[self.start :])

    @property
    def values(self) -> tuple[str, ...]:
        """The same words without their quotes."""
        return tuple(word.value for word in self.every_word[self.start :])

    @property
    def text(self) -> str:
        return " ".join(self.words)


def split_stages(line: str) -> tuple[ShellStage, ...]:
    """Return the stages between `|`, `||`, `&`, `&&`, `;`, `|&` and newlines; none for a line without a command."""
    return _Splitter(line).split()


def find_substitutions(text: str) -> tuple[str, ...]:
    """Return the sources of the substitutions in a text, as in a here-document."""
    return _Splitter(text).read_text()


class _Splitter:
    """Reads a line from left to right."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0
        self._stages: list[ShellStage] = []
        self._words: list[ShellWord] = []
        self._raw = ""
        self._value = ""
        self._varies = False
        self._opaque = False
        self._broken = False
        self._scripts: list[str] = []
        self._documents: list[str] = []
        self._announced = 0
        """Number of here-documents that the current stage has announced."""
        self._is_pattern = self._is_piped = False
        self._within_script = False
        self._closed_group = False
        """The character before closes a group that is no substitution: a `#` behind it may begin a comment."""
        self._heredocs: list[tuple[str, bool]] = []
        self._depth = 0
        self._plain = ""
        """The character before, if it is neither quoted nor escaped."""

    def split(self) -> tuple[ShellStage, ...]:
        while self._at < len(self._line):
            self._read_next()
        self._end_stage()
        return tuple(self._stages)

    def read_text(self) -> tuple[str, ...]:
        """Read the line as a here-document: return the sources of its substitutions."""
        while self._at < len(self._line):
            if self._line[self._at] == "\\":
                self._at += 2
            else:
                self._read_expansion()
        return tuple(self._scripts)

    def _read_next(self) -> None:
        line, at = self._line, self._at
        char = line[at]
        if self._read_quoted(nested=True):
            pass
        elif char in "$`":
            self._read_expansion()
        elif char == "(":
            self._read_group(char)
        elif char in "{*?[":
            self._opaque |= char == "{"
            self._varies |= not line.startswith("{}", at)
            self._take(1)
        elif char in _BLANKS:
            self._end_word()
            self._at += 1
            self._plain = ""
        elif char == "#" and (self._closed_group or not self._raw):
            self._opaque |= bool(self._raw)
            self._broken |= bool(self._raw)  # a comment in some shells
            self._skip_comment()
        else:
            self._read_operator(char)

    def _read_operator(self, char: str) -> None:
        if char == "\n":
            self._at += 1
            self._skip_heredocs()
            self._end_stage()
        elif char in "<>":
            self._read_redirection()
        elif char == ")":  # the end of a pattern of `case`
            self._opaque = self._is_pattern = True
            self._take(1)
            self._end_stage()
        elif char in ";|&" and not self._is_redirection():
            self._end_stage()
            self._is_piped = char == "|"
            self._at += 1
        elif char == "&" and self._plain not in ("<", ">"):
            self._end_word()
            self._take(1)
        else:
            self._take(1)

    def _read_quoted(self, *, nested: bool) -> bool:
        """Read an escape or a quoted part; return False if there is none here. Backticks have no double quotes."""
        line, at = self._line, self._at
        if line[at] == "\\":
            self._read_escape()
        elif line[at] == "'" or line.startswith("$'", at):
            self._read_single_quotes()
            self._broken |= not nested and "`" in line[at : self._at]  # shells differ
        elif nested and (line[at] == '"' or line.startswith('$"', at)):
            self._read_double_quotes()
        else:
            return False
        return True

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
        self._closed_group = False
        self._raw += part
        self._value += part if value is None else value
        self._at += count

    def _read_escape(self) -> None:
        if self._line.startswith("\\\n", self._at):
            self._at += 2  # the line continues
        else:
            self._broken |= self._at + 1 >= len(self._line)
            self._take(2, self._line[self._at + 1 : self._at + 2])

    def _read_single_quotes(self) -> None:
        start = self._at
        escapes = self._line[start] == "$"
        at = start + 1 + escapes
        while at < len(self._line) and self._line[at] != "'":
            at += 2 if escapes and self._line[at] == "\\" else 1
        unclosed = at >= len(self._line)
        self._opaque |= unclosed
        self._broken |= unclosed
        value = self._line[start + 1 + escapes : at]
        self._varies |= bool(escapes) and "\\" in value
        self._take(at + 1 - start, value)

    def _read_double_quotes(self) -> None:
        if self._line[self._at] == "$":  # a text to be translated
            self._take(1, "")
        self._take(1, "")
        while self._at < len(self._line) and self._line[self._at] != '"':
            if self._line[self._at] == "\\":
                self._read_escape()
            else:
                self._read_expansion(quoted=True)
        unclosed = self._at >= len(self._line)
        self._opaque |= unclosed
        self._broken |= unclosed
        self._take(1, "")

    def _read_expansion(self, *, quoted: bool = False) -> None:
        """Read a substitution or a variable, or else one character."""
        line, at = self._line, self._at
        if line[at] == "`":
            self._varies = True
            self._read_group("`")
        elif line.startswith("$(", at):
            self._varies = True
            self._take(1)
            self._read_group("(")
        elif line.startswith("${", at):
            self._varies = self._opaque = True
            self._read_parameter(quoted=quoted)
        else:
            self._varies |= _EXPANSION.match(line, at) is not None
            self._take(1)

    def _read_parameter(self, *, quoted: bool) -> None:
        """Read `${...}` to its end."""
        self._depth += 1
        self._take(2)
        if self._depth > _MAX_DEPTH:
            self._at = len(self._line)
        while self._at < len(self._line) and self._line[self._at] != "}":
            char = self._line[self._at]
            if char == "\\":
                self._read_escape()
            elif char == "'":
                self._broken |= quoted  # a quote or not, by the operator
                self._read_single_quotes()
            elif char == '"':
                self._read_double_quotes()
            else:
                self._read_expansion(quoted=quoted)
        self._broken |= self._at >= len(self._line)
        self._take(1)
        self._depth -= 1

    def _read_group(self, opening: str) -> None:
        """Read a substitution or a subshell: the words of the stage no longer show what it runs."""
        self._opaque = True
        before = self._raw
        is_substitution = opening == "`" or before.endswith(("$", "<", ">"))
        end = 0 if opening == "`" else self._find_arithmetic_end()
        if end:
            self._read_arithmetic(end)
            return
        is_list = opening == "(" and _ARRAY.fullmatch(before) is not None
        start, outermost = self._at + 1, not (self._within_script or is_list)
        self._within_script |= outermost
        self._read_to_closing(opening)
        if outermost:
            self._within_script = False
            self._add_script(self._line[start : self._at], opening)
        self._take(1)
        self._depth -= 1
        self._closed_group = not is_substitution
        if not before and not is_substitution and not self._depth:
            self._end_word()

    def _add_script(self, source: str, opening: str) -> None:
        if opening == "`":
            source = re.sub(r"\\([`$\\])", r"\1", source)
        self._scripts.append(source)

    def _read_to_closing(self, opening: str) -> None:
        self._depth += 1
        announced = len(self._heredocs)
        self._take(1)
        closing = "`" if opening == "`" else ")"
        if self._depth > _MAX_DEPTH:
            self._at = len(self._line)
        while self._at < len(self._line) and self._line[self._at] != closing:
            self._read_in_group(nested=closing == ")")
        self._broken |= self._at >= len(self._line) or len(self._heredocs) > announced  # shells differ

    def _find_arithmetic_end(self) -> int:
        """Return the place of the last parenthesis of `((...))`; 0 for commands. Quotes are not read as arithmetic."""
        if not self._line.startswith("((", self._at):
            return 0
        content = _ARITHMETIC.match(self._line, self._at)
        depth = 0
        for at in range(self._at, min(content.end(), self._at + _MAX_ARITHMETIC) if content else 0):
            depth += {"(": 1, ")": -1}.get(self._line[at], 0)
            if depth == 1 and self._line[at] == ")":
                return at + 1 if self._line.startswith(")", at + 1) else 0
        return 0

    def _read_arithmetic(self, end: int) -> None:
        while self._at < end:
            self._read_expansion()
        self._broken |= self._at > end  # the parentheses are in the braces of a variable, or end them
        self._take(1)

    def _read_in_group(self, *, nested: bool) -> None:
        line, at = self._line, self._at
        char = line[at]
        if self._read_quoted(nested=nested):
            pass
        elif line.startswith("${", at) and nested:
            self._read_parameter(quoted=False)
        elif char in "(`" and nested:
            self._read_group(char)
        elif char == "#" and nested and line[at - 1] in " \t\n(;&|":
            self._skip_comment()
        elif line.startswith("<<", at):
            self._read_heredoc_start()
        else:
            self._broken |= char == "#" and self._closed_group
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
            self._opaque = self._broken = True
            self._take(2)
            return
        quoted = found["single"] or found["double"] or found["escaped"]
        self._heredocs.append((found["plain"] or quoted, bool(quoted)))
        self._announced += 1
        self._take(found.end() - self._at)

    def _skip_heredocs(self) -> None:
        """Skip the lines of the documents announced in this line; one that expands may run a command."""
        foreign = len(self._heredocs) - self._announced
        for number, (delimiter, quoted) in enumerate(self._heredocs):
            row, rows = None, []
            while self._at < len(self._line) and row != delimiter:
                row, _, _ = self._line[self._at :].partition("\n")
                self._at += len(row) + 1
                rows.append(row)
                row = row.lstrip("\t")
                self._opaque |= not quoted and ("`" in row or "$(" in row)
            self._opaque |= row != delimiter
            if not self._within_script:
                document = "\n".join(rows[:-1] if row == delimiter else rows)
                self._documents += [document] if number >= foreign else []
                self._scripts += () if quoted else _Splitter(document).read_text()
        self._heredocs = []

    def _end_word(self) -> None:
        if self._raw:
            plain = self._raw in ("{", "[", "[[")
            self._words.append(ShellWord(self._raw, self._value, self._varies and not plain))
        self._raw = self._value = ""
        self._varies = False

    def _end_stage(self) -> None:
        self._end_word()
        if self._words or self._scripts or self._broken:
            start = _count_prefix([(word.raw, word.value) for word in self._words])
            self._stages.append(
                ShellStage(
                    every_word=tuple(self._words),
                    start=start,
                    opaque=self._opaque,
                    broken=self._broken,
                    scripts=tuple(self._scripts),
                    documents=tuple(self._documents),
                    is_pattern=self._is_pattern,
                    is_piped=self._is_piped,
                )
            )
        self._words, self._scripts, self._documents = [], [], []
        self._opaque = self._broken = self._closed_group = self._is_pattern = self._is_piped = False
        self._announced, self._plain = 0, ""


def _count_prefix(pairs: list[tuple[str, str]]) -> int:
    """Return the number of words before the command: redirections, assignments, and wrappers with their arguments."""
    words = [value for _, value in pairs]
    at = 0
    while at < len(words):
        redirection = REDIRECTION.fullmatch(pairs[at][0])
        if redirection:
            at += 1 if redirection["target"] else 2
        elif ASSIGNMENT.match(words[at]) and not _changes_programs(words[at]):
            at += 1
        elif words[at] in _WRAPPERS and (after := _skip_wrapper(words, at)):
            at = after
        else:
            break
    return at


def _changes_programs(assignment: str) -> bool:
    """Return True if a variable makes a program run another one."""
    if COMMAND_VARIABLE.match(assignment):
        return assignment.partition("=")[2] not in _HARMLESS_COMMANDS
    return _LOADING_VARIABLE.match(assignment) is not None


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
