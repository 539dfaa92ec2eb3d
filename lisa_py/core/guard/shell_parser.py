"""Parse a shell line into the commands it would run, including those in quotes, wrappers and substitutions."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from lisa_py.core.guard import shell_stages
from lisa_py.core.guard.shell_stages import ASSIGNMENT, REDIRECTION, ShellStage, ShellWord

_SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish"))
_KEYWORDS = frozenset(
    ("if", "then", "else", "elif", "fi", "do", "done", "while", "until", "!", "{", "}", "esac", "coproc")
)
_COMPOUNDS = frozenset(("for", "select", "case", "[["))
_UNKNOWN_INPUT = ShellWord("...", "...", True)
"""Words that a program such as xargs appends to its command."""
_MAX_DEPTH = 10
_MAX_COMMANDS = 5000


class ShellSyntaxError(Exception):
    """The shell would refuse the line, too, or it is nested too deeply."""


class ShellCommand(Struct, frozen=True):
    """One command of the line."""

    words: tuple[str, ...]
    """Never empty."""
    guessed: bool = False
    """A tail of the words of a wrapper: possibly the wrapped command."""
    known: int = 0
    """Number of words before the first one of which the shell replaces a part."""
    is_extended: bool = False
    """Further words come from the input of another program."""

    @property
    def text(self) -> str:
        return " ".join(self.words)


class ShellReading(Struct, frozen=True):
    """Commands that a line would run, as far as it can be read."""

    commands: tuple[ShellCommand, ...]
    broken: str = ""
    """Why parts of it cannot be parsed."""
    hidden: str = ""
    """A command that gets what it runs from elsewhere: a variable, its input."""
    words: tuple[str, ...] = ()
    """Every word, also those of redirections."""


class _Wrapper(Struct, frozen=True):
    """A program that runs the command behind its options."""

    valued: str = ""
    """Letters of options with a value."""
    flags: str = ""
    """Letters of options without one."""
    valued_names: tuple[str, ...] = ()
    """Long options with a separate value."""
    operands: int = 0
    """Words before the command."""
    scripts: str = ""
    """Letters of options whose value is a script."""
    is_joined: bool = False
    """The words are a script."""


_ANY = 1 << 30
_WRAPPERS = {
    "sudo": _Wrapper("CDghpRrtTUu", "ABbEeHiKklnPSsVv", ("user", "group", "host", "prompt", "chdir", "chroot", "role")),
    "doas": _Wrapper("Cua", "Lns"),
    "env": _Wrapper("uCa", "i0v", ("unset", "chdir", "argv0"), scripts="S"),
    "nohup": _Wrapper(),
    "setsid": _Wrapper(flags="cfw"),
    "exec": _Wrapper("a", "cl"),
    "command": _Wrapper(flags="p"),
    "builtin": _Wrapper(),
    "time": _Wrapper("of", "apvV", ("output", "format")),
    "timeout": _Wrapper("ks", "vfp", ("kill-after", "signal"), 1),
    "nice": _Wrapper("n", "0123456789", ("adjustment",)),
    "ionice": _Wrapper("cn", "t", ("class", "classdata")),
    "stdbuf": _Wrapper("ioe", "", ("input", "output", "error")),
    "xargs": _Wrapper("adEIJLnPRSs", "0eiloprtx", ("arg-file", "delimiter", "max-args", "max-procs", "max-lines")),
    "watch": _Wrapper("nq", "bcdegprtwxC", ("interval",), is_joined=True),
    "flock": _Wrapper("wE", "seunoxF", ("timeout", "wait", "conflict-exit-code"), 1, scripts="c"),
    "parallel": _Wrapper("jaNnLlsISPC", "kmuvXtq0", ("jobs", "arg-file", "colsep", "joblog"), is_joined=True),
    "ssh": _Wrapper("BbcDEeFIiJLlmOopQRSWw", "46AaCfGgKkMNnqsTtVvXxYy", (), 1, is_joined=True),
    "chroot": _Wrapper("", "", ("userspec", "groups"), 1),
    "runuser": _Wrapper("ugGsw", "lmp", ("user", "group", "shell"), _ANY, scripts="c"),
    "su": _Wrapper("gGsw", "lmpP", ("group", "shell"), _ANY, scripts="c"),
    "script": _Wrapper("EIOBTmot", "aefqr", (), _ANY, scripts="c"),
    "strace": _Wrapper("aeIobEOPpsSuUX", "cCdDfFhiknqrtTvVwxyYzZ"),
    "ltrace": _Wrapper("aADeFlnopsuxX", "bcCfhiLrStTV"),
    "taskset": _Wrapper("", "ap", (), 1),
    "chrt": _Wrapper("TPD", "abdefimopRrv", (), 1),
    "unshare": _Wrapper("SGRw", "imnpuUCTcfr"),
    "systemd-run": _Wrapper("puMHEt", "dGPqrS", ("unit", "property", "uid", "gid", "setenv", "working-directory")),
    "busybox": _Wrapper(),
    "toybox": _Wrapper(),
    "caffeinate": _Wrapper("tw", "dimsu"),
    "npx": _Wrapper("pw", "yq", ("package", "workspace"), scripts="c"),
    "uv run": _Wrapper("pw", "qvn", ("with", "python", "project", "directory", "extra", "group", "env-file")),
    "poetry run": _Wrapper(),
    "pipenv run": _Wrapper(),
    "bundle exec": _Wrapper(),
}
"""A rule denies what these run; the ones behind which a rule allows are a list of its own, and a shorter one."""
_WRAPPERS |= {f"g{name}": _WRAPPERS[name] for name in ("timeout", "nice", "env", "nohup", "stdbuf", "time", "xargs")}
_EXEC_OPTIONS = {
    "find": ("-exec", "-execdir", "-ok", "-okdir"),
    "fd": ("-x", "-X", "--exec", "--exec-batch"),
    "fdfind": ("-x", "-X", "--exec", "--exec-batch"),
}


def parse_commands(text: str) -> list[ShellCommand]:
    """Return each command in order; a wrapper (sudo, xargs, sh -c) also yields its wrapped command. Raise
    ShellSyntaxError."""
    reading = read_line(text)
    if reading.broken:
        raise ShellSyntaxError(reading.broken)
    return list(reading.commands)


def read_line(text: str) -> ShellReading:
    """Return what a line would run, also of one that cannot be parsed to its end."""
    reader = _Reader()
    reader.read_script(text, 0)
    return ShellReading(tuple(reader.commands), reader.broken, reader.hidden, tuple(reader.words))


class _Reader:
    """Collects the commands of scripts within scripts."""

    def __init__(self) -> None:
        self.commands: list[ShellCommand] = []
        self.words: list[str] = []
        self.broken = ""
        self.hidden = ""

    def read_script(self, text: str, depth: int) -> None:
        if not self._may_go_on(depth):
            return
        open_cases = 0
        stages = shell_stages.split_stages(text)
        patterns = _find_patterns(stages)
        for number, stage in enumerate(stages):
            if stage.broken:
                self.broken = "a quote or a group is not closed"
            self.words += [word.value.lstrip("<>&|0123456789") or word.value for word in stage.every_word]
            words = _drop_redirections(stage.every_word)
            first = next((word.raw for word in words if word.raw not in _KEYWORDS), "")
            if open_cases <= 0 or number not in patterns:
                self._read_command(words, stage, depth)
            open_cases += (first == "case") - any(word.raw == "esac" for word in words)
            for script in stage.scripts:
                self.read_script(script, depth + 1)
        if open_cases > 0:  # a pattern of it has ended a substitution
            self.broken = "a case is not closed"

    def _may_go_on(self, depth: int) -> bool:
        if depth > _MAX_DEPTH or len(self.commands) > _MAX_COMMANDS:
            self.broken = "nested too deeply"
        return self.broken != "nested too deeply"

    def _read_command(self, words: Sequence[ShellWord], stage: ShellStage, depth: int) -> None:
        words, named = _strip_grammar(words)
        if named:
            self._read_command(words[1:], stage, depth)
        if not words:
            return
        if words[0].raw in _COMPOUNDS or _is_group(words[0]):
            starts = [at for at, word in enumerate(words) if word.raw in _KEYWORDS or _is_group(word)]
            for at in starts:
                rest, _ = _strip_grammar(words[at + 1 :])
                if rest and rest[0].raw not in _COMPOUNDS and not _is_group(rest[0]):
                    self._expand(rest, stage, depth)
            return
        self._expand(words, stage, depth)

    def _expand(self, words: Sequence[ShellWord], stage: ShellStage, depth: int, *, guessed: bool = False) -> None:
        """Add a command, and those that it runs."""
        if not words or not self._may_go_on(depth):
            return
        known = next((at for at, word in enumerate(words) if word.varies), len(words))
        shown = tuple(word.value for word in words if word is not _UNKNOWN_INPUT)
        if shown:
            self.commands.append(ShellCommand(shown, guessed, known, len(shown) < len(words)))
        program = os.path.basename(words[0].value)
        if words[0].varies and not guessed:
            self.hidden = self.hidden or words[0].raw
        if program in _SHELLS:
            self._read_shell(words, stage, depth)
        elif program in _SPECIAL:
            _SPECIAL[program](self, words, depth)
        elif program in _EXEC_OPTIONS:
            for inner in _find_exec(words, _EXEC_OPTIONS[program]):
                self._expand(inner, stage, depth + 1)
        else:
            self._read_wrapper(program, words, stage, depth)

    def _guess(self, words: Sequence[ShellWord], count: int, depth: int) -> None:
        """Add tails of the words, of which one may be a command."""
        empty = ShellStage(())
        for start in range(min(count, len(words))):
            if words[start].value[:1] not in ("", "-"):
                self._expand(words[start:], empty, depth + 1, guessed=True)

    def _read_wrapper(self, program: str, words: Sequence[ShellWord], stage: ShellStage, depth: int) -> None:
        pair = f"{program} {words[1].value}" if len(words) > 1 else ""
        found = _WRAPPERS.get(program)
        if found is None and pair in _WRAPPERS:
            found, words = _WRAPPERS[pair], words[1:]
        if found is None or (program == "command" and len(words) > 1 and words[1].value in ("-v", "-V")):
            return
        options = _read_options(words, found)
        for script in options.scripts:
            self._read_given(script, depth)
        rest = list(words[options.end :])
        if found.is_joined:
            self._read_joined(program, rest, depth)
        elif found.operands == _ANY:
            self._guess(words[1:], len(words) if program == "runuser" else 0, depth)
        else:
            rest += [_UNKNOWN_INPUT] if program.endswith("xargs") and rest else []
            if rest:
                self._expand(rest, stage, depth + 1, guessed=options.doubts > 0)
            self._guess(rest[1:], options.doubts, depth)

    def _read_joined(self, program: str, words: Sequence[ShellWord], depth: int) -> None:
        if program == "parallel":
            stop = next((at for at, word in enumerate(words) if word.value.startswith(":::")), len(words))
            for word in () if stop else words[1:]:  # each is a command
                self._read_given(word, depth)
            if not words:
                self.hidden = self.hidden or f"the input of {program}"
            words = words[:stop]
        if words:
            self._read_given(_join(words), depth)

    def _read_given(self, word: ShellWord, depth: int) -> None:
        """Read a word that is a script."""
        if word.varies:
            self.hidden = self.hidden or word.raw
        self.read_script(word.value, depth + 1)

    def _read_shell(self, words: Sequence[ShellWord], stage: ShellStage, depth: int) -> None:
        at, takes_script, takes_input = 1, False, False
        while at < len(words) and words[at].value[:1] in ("-", "+") and words[at].value != "--":
            option = words[at].value
            if option in ("--version", "--help"):
                return
            takes_script |= re.match(r"-[A-Za-z]*c", option) is not None
            takes_input |= re.match(r"-[A-Za-z]*s", option) is not None
            at += 2 if re.match(r"[-+][A-Za-z]*[oO]\Z|--(?:rc|init-)file\Z", option) else 1
        rest = [word for word in words[at:] if word.value != "--"]
        if takes_script and rest:
            self._read_given(rest[0], depth)
            return
        rest = [] if takes_input else rest
        if rest and not _is_stream(rest[0]):
            return  # the name of a file
        if stage.documents and not rest:
            for document in stage.documents:
                varies = "$" in document or "`" in document
                self._read_given(ShellWord("a here-document", document, varies), depth)
        elif (text := _find_here_string(stage)) is not None and not rest:
            self._read_given(text, depth)
        else:
            self.hidden = self.hidden or f"the input of {words[0].raw}"

    def read_joined_arguments(self, words: Sequence[ShellWord], depth: int) -> None:
        """Read `eval`."""
        if len(words) > 1:
            self._read_given(_join(words[1:]), depth)

    def read_first_argument(self, words: Sequence[ShellWord], depth: int) -> None:
        """Read `trap`."""
        for word in words[1:2]:
            self._read_given(word, depth)

    def read_aliases(self, words: Sequence[ShellWord], depth: int) -> None:
        for word in words[1:]:
            if "=" in word.value:
                self._read_given(ShellWord(word.raw, word.value.partition("=")[2], word.varies), depth)

    def read_sourced(self, words: Sequence[ShellWord], depth: int) -> None:
        if len(words) > 1 and _is_stream(words[1]):
            self.hidden = self.hidden or words[1].raw


_SPECIAL: dict[str, Callable[[_Reader, Sequence[ShellWord], int], None]] = {
    "eval": _Reader.read_joined_arguments,
    "trap": _Reader.read_first_argument,
    "alias": _Reader.read_aliases,
    ".": _Reader.read_sourced,
    "source": _Reader.read_sourced,
}


def _join(words: Sequence[ShellWord]) -> ShellWord:
    return ShellWord(
        " ".join(word.raw for word in words),
        " ".join(word.value for word in words),
        any(word.varies for word in words),
    )


def _is_group(word: ShellWord) -> bool:
    return word.raw.startswith("(")


def _is_stream(word: ShellWord) -> bool:
    """Return True for a file that is the output of a program, or the input of this one."""
    return word.raw.startswith("<(") or word.value.startswith(("/dev/", "/proc/"))


def _find_patterns(stages: Sequence[ShellStage]) -> set[int]:
    """Return the places of the patterns of `case`: what ends with a parenthesis, and the alternatives before it."""
    found: set[int] = set()
    for at in range(len(stages) - 1, -1, -1):
        is_alternative = at + 1 in found and stages[at + 1].is_piped and len(stages[at].every_word) == 1
        if stages[at].is_pattern or is_alternative:
            found.add(at)
    return found


def _drop_redirections(words: Sequence[ShellWord]) -> list[ShellWord]:
    kept, at = [], 0
    while at < len(words):
        found = None if words[at].raw[:2] in ("<(", ">(") else REDIRECTION.fullmatch(words[at].raw)
        if found is None:
            kept.append(words[at])
        at += 2 if found and not found["target"] else 1
    return kept


def _find_here_string(stage: ShellStage) -> ShellWord | None:
    for at, word in enumerate(stage.every_word):
        if word.raw == "<<<":
            return next(iter(stage.every_word[at + 1 :]), None)
        if word.raw.startswith("<<<"):
            return ShellWord(word.raw, word.value[3:], word.varies)
    return None


def _strip_grammar(words: Sequence[ShellWord]) -> tuple[Sequence[ShellWord], bool]:
    """Return the words without keywords, assignments and the heads of functions before the command.

    True if the first word that is left may be the name of a coprocess.
    """
    at, named = 0, False
    while at < len(words):
        raw = words[at].raw
        following = words[at + 1].raw if at + 1 < len(words) else ""
        if raw in _KEYWORDS or ASSIGNMENT.match(words[at].value):
            named = raw == "coproc"
            at += 1
        elif raw == "function":
            at += 2
        elif raw.endswith("()"):
            at += 1
        elif following == "()":
            at += 2
        else:
            break
    return words[at:], named


class _WrapperOptions(Struct, frozen=True):
    """The options of a wrapper."""

    end: int
    """Place of the first word behind options and operands."""
    doubts: int
    """Number of unknown options, each of which may have taken a word."""
    scripts: tuple[ShellWord, ...]


def _read_options(words: Sequence[ShellWord], wrapper: _Wrapper) -> _WrapperOptions:
    at, doubts, operands = 1, 0, wrapper.operands
    scripts: list[ShellWord] = []
    while at < len(words):
        value = words[at].value
        if value == "--" and not words[at].varies:
            at += 1 + operands
            break
        if value == "-":
            at += 1
        elif value.startswith("-"):
            step, is_known = _read_option(words, at, wrapper, scripts)
            at += step
            doubts += not is_known
        elif ASSIGNMENT.match(value):
            at += 1
        elif operands:
            operands -= 1
            at += 1
        else:
            break
    return _WrapperOptions(at, doubts, tuple(scripts))


def _read_option(words: Sequence[ShellWord], at: int, wrapper: _Wrapper, scripts: list[ShellWord]) -> tuple[int, bool]:
    """Return the number of words of an option, and False if that is not certain."""
    word = words[at]
    following = list(words[at + 1 : at + 2])
    if word.varies:
        return 1, False
    if word.value.startswith("--"):
        name, equals, value = word.value[2:].partition("=")
        if name in ("command", "split-string", "call") and wrapper.scripts:
            scripts += [ShellWord(word.raw, value, word.varies)] if equals else following
            return (1 if equals else 2), True
        return (2 if not equals and name in wrapper.valued_names else 1), bool(equals) or name in wrapper.valued_names
    for place, letter in enumerate(word.value[1:], 2):
        rest = word.value[place:]
        if letter in wrapper.scripts:
            scripts += [ShellWord(word.raw, rest, word.varies)] if rest else following
            return (1 if rest else 2), True
        if letter in wrapper.valued:
            return (1 if rest else 2), True
        if letter not in wrapper.flags:
            return 1, False
    return 1, True


def _find_exec(words: Sequence[ShellWord], options: Sequence[str]) -> Iterator[list[ShellWord]]:
    """Yield the commands behind `-exec` and the like, up to `;` or `+`."""
    for at, word in enumerate(words):
        if word.value in options:
            rest = list(words[at + 1 :])
            end = next((number for number, each in enumerate(rest) if each.value in (";", "+")), len(rest))
            yield [*rest[:end], _UNKNOWN_INPUT] if rest[:end] else []
