"""Parse a shell line into the commands it would run, including those in quotes, wrappers and substitutions."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from lisa_py.contract.late_pattern import compile_late
from lisa_py.core.guard import shell_stages, shell_wrappers
from lisa_py.core.guard.shell_stages import ASSIGNMENT, COMMAND_VARIABLE, REDIRECTION, ShellStage, ShellWord

_SHELL = compile_late(r"(?:r?bash|r?ksh|mksh|pdksh|r?zsh|(?:d|da|a|t?c|fi|xon)?sh|nu|elvish|pwsh)(?:[-.\d][\w.-]*)?")
_KEYWORDS = frozenset(
    (
        *("if", "then", "else", "elif", "fi", "do", "done", "while", "until", "!", "{", "}", "esac", "coproc", "]]"),
        *("-", "nocorrect", "and", "or", "not", "begin"),  # of zsh and fish
    )
)
_COMPOUNDS = frozenset(("for", "foreach", "select", "case", "[["))
_RESERVED = frozenset(("if", "then", "else", "elif", "do", "while", "until", "!", "{"))
"""Keywords before a condition."""
_BODIES = frozenset(("if", "elif", "while", "until", "repeat", "}"))
"""Words that zsh lets a body in braces follow."""
_EMPTY_PARENTHESES = compile_late(r"\(\s*\)")
_SUBSCRIPT = compile_late(r"[A-Za-z_]\w*\[[^]]*(?:\$\(|`)")
"""A subscript that arithmetic would expand, also from quotes."""
_QUOTED_SUBSTITUTION = compile_late(r"'[^']*(?:\$\(|`)[^']*'|\\[$`]")
_START_FILES = compile_late(r"(?:BASH_ENV|ENV|ZDOTDIR)=(?:\s<\(|/dev/|/proc/)")
_HERE_STRING = compile_late(r"0?<<<")
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
    stages: tuple[tuple[ShellWord, ...], ...] = ()
    """Every word, also those of redirections."""


_EXEC_OPTIONS = {
    "find": compile_late(r"-(?:exec|execdir|ok|okdir)(?P<glued>)"),
    "fd": compile_late(r"(?:-[A-Za-wyzA-WYZ]*[xX]|--exec(?:-batch)?(?:=|\Z))(?P<glued>.*)", re.DOTALL),
}
_EXEC_OPTIONS["fdfind"] = _EXEC_OPTIONS["fd"]
_SCRIPT_OPTIONS = {
    "tar": compile_late(r"--(?:to-command|use-compress-program|rsh-command|info-script|checkpoint-action)|-[IF]"),
    "rsync": compile_late(r"--rsh|-[A-Za-z]*e"),
    "rg": compile_late(r"--pre|--hostname-bin"),
    "git": compile_late(r"--exec|-x|--(?:tree|index|msg|env|parent|commit|tag-name)-filter|-c"),
    "ssh": compile_late(r"-o"),
    "scp": compile_late(r"-[oSD]"),
    "sftp": compile_late(r"-[oSD]"),
    "man": compile_late(r"-P|--pager"),
    "nodemon": compile_late(r"-x|--exec"),
    "nix-shell": compile_late(r"--run|--command"),
    "sort": compile_late(r"--compress-program"),
    "entr": compile_late(r"-[a-z]*s"),
    "compgen": compile_late(r"-C"),
    "complete": compile_late(r"-C"),
    "mapfile": compile_late(r"-C"),
    "readarray": compile_late(r"-C"),
}
"""Options of which the value is a command."""
_TMUX_STARTERS = compile_late(r"new|split|respawn|run|if-|pipe|send|popup|display-popup|confirm|bind|set-hook")


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
    reader.read_script(text.replace("\0", ""), 0)  # as shells do
    return ShellReading(tuple(reader.commands), reader.broken, reader.hidden, tuple(reader.stages))


class _Reader:
    """Collects the commands of scripts within scripts."""

    def __init__(self) -> None:
        self.commands: list[ShellCommand] = []
        self.stages: list[tuple[ShellWord, ...]] = []
        self.broken = ""
        self.hidden = ""

    def read_script(self, text: str, depth: int) -> None:
        if not self._may_go_on(depth):
            return
        open_cases, in_condition = 0, False
        stages = shell_stages.split_stages(text)
        patterns = _find_patterns(stages)
        for number, stage in enumerate(stages):
            if stage.broken:
                self.broken = "a quote or a group is not closed"
            self.stages.append(stage.every_word)
            kept = _drop_redirections(stage.every_word)
            words, in_condition = _skip_condition(kept, stage.every_word, in_condition)
            first = next((word.raw for word in words if word.raw not in _KEYWORDS), "")
            if open_cases <= 0 or number not in patterns:
                self._read_command(words, stage, depth)
            open_cases += (first == "case") - any(word.raw == "esac" for word in words)
            for script in (*stage.scripts, *_find_late_scripts(stage)):
                self.read_script(script, depth + 1)
        if open_cases > 0:  # a pattern of it has ended a substitution
            self.broken = "a case is not closed"

    def _may_go_on(self, depth: int) -> bool:
        if depth > _MAX_DEPTH or len(self.commands) > _MAX_COMMANDS:
            self.broken = "nested too deeply"
        return self.broken != "nested too deeply"

    def _read_command(self, words: Sequence[ShellWord], stage: ShellStage, depth: int) -> None:
        for at, word in enumerate(words):
            self._read_assignment(word, next(iter(words[at + 1 : at + 2]), word), depth)
        for at, word in enumerate(words[1:], 1):
            has_body = words[0].raw in _BODIES or words[at - 1].raw == "always"
            if word.raw == "{" and has_body and at + 1 < len(words):
                self._read_command(words[at + 1 :], stage, depth + 1)
                break
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
        if program.startswith("="):  # its path, for zsh
            self._expand([_replace(words[0], words[0].value[1:]), *words[1:]], stage, depth + 1, guessed=True)
        if words[0].varies and not guessed:
            self.hidden = self.hidden or words[0].raw
        if program in _SCRIPT_OPTIONS:
            self._read_script_options(words, _SCRIPT_OPTIONS[program], depth)
        if _SHELL.fullmatch(program):
            self._read_shell(words, stage, depth)
        elif program in _SPECIAL:
            _SPECIAL[program](self, words, depth)
        elif program in _EXEC_OPTIONS:
            for inner in _find_exec(words, _EXEC_OPTIONS[program]):
                self._expand(inner, stage, depth + 1)
        elif program in ("at", "batch"):
            self._read_login(program, words, stage, depth)
        elif program == "crontab" and any(word.value == "-" for word in words):
            self.hidden = self.hidden or "the input of crontab"
        else:
            self._read_wrapper(program, words, stage, depth)

    def _read_assignment(self, word: ShellWord, following: ShellWord, depth: int) -> None:
        """Read the value of a variable from which a shell or a program takes a command."""
        if COMMAND_VARIABLE.match(word.value):
            self.read_script(word.value.partition("=")[2], depth + 1)
        elif _START_FILES.match(f"{word.raw} {following.raw}" if word.raw.endswith("=") else word.raw):
            self.hidden = self.hidden or word.raw

    def _read_script_options(self, words: Sequence[ShellWord], options: re.Pattern[str], depth: int) -> None:
        for at, word in enumerate(words[1:], 1):
            found = options.match(word.value)
            if found is None:
                continue
            glued = word.value[found.end() :].removeprefix("=")
            given = _replace(word, glued) if glued else next(iter(words[at + 1 : at + 2]), word)
            name, equals, assigned = given.value.partition("=")
            script = assigned.lstrip("!") if equals and " " not in name else given.value
            hidden = self.hidden
            if not (given.varies and script.startswith("$")):
                self.read_script(script, depth + 1)
            self.hidden = hidden if given.varies else self.hidden

    def _guess(self, words: Sequence[ShellWord], count: int, depth: int) -> None:
        """Add tails of the words, of which one may be a command."""
        empty = ShellStage(())
        for start in range(min(count, len(words))):
            is_value = (
                words[start].varies and start and ("=" in words[start].value or words[start - 1].value[:1] == "-")
            )
            if words[start].value[:1] not in ("", "-") and not is_value:
                self._expand(words[start:], empty, depth + 1, guessed=True)

    def _read_wrapper(self, program: str, words: Sequence[ShellWord], stage: ShellStage, depth: int) -> None:
        found = shell_wrappers.find_wrapper(program, words)
        if found is None or (program == "command" and len(words) > 1 and words[1].value in ("-v", "-V")):
            return
        wrapper, words = found.wrapper, found.words
        options = shell_wrappers.read_options(words, wrapper)
        for script in options.scripts:
            self._read_given(_replace(script, f"env {script.value}") if program.endswith("env") else script, depth)
        rest = list(words[options.end :])
        if wrapper.is_vague:
            self._guess(words[1:], len(words), depth)
        elif wrapper.is_joined:
            self._read_joined(program, rest, shell_wrappers.find_replaced(words) or "{}", depth)
        elif program.endswith("time"):
            self._read_command(rest, stage, depth + 1)
        elif rest:
            rest = _mark_input(words, rest) if program.endswith("xargs") else rest
            self._expand(rest, stage, depth + 1, guessed=options.doubts > 0)
        self._guess(rest[1:], options.doubts, depth)
        if wrapper.starts_shell and not options.scripts and (wrapper.is_vague or not rest):
            self._read_login(program, words, stage, depth)

    def _read_login(self, program: str, words: Sequence[ShellWord], stage: ShellStage, depth: int) -> None:
        """Read the input of a program that starts a shell, unless it is the one of the agent."""
        is_shell = program not in ("sudo", "doas") or any(
            re.match(r"-[A-Za-z]*[si]|--(?:shell|login)\Z", word.value) for word in words
        )
        if is_shell and (stage.is_piped or any("<" in word.raw[:3] for word in stage.every_word)):
            self._read_input(program, stage, depth)

    def _read_joined(self, program: str, words: Sequence[ShellWord], replaced: str, depth: int) -> None:
        if program == "parallel":
            stop = next((at for at, word in enumerate(words) if word.value.startswith(":::")), len(words))
            for word in () if stop else words[1:]:  # each is a command
                self._read_given(word, depth)
            if not words or (not stop and words[0].value != ":::"):
                self.hidden = self.hidden or f"the input of {program}"
            words = words[:stop]
            self._expand([*words, _UNKNOWN_INPUT] if words else [], ShellStage(()), depth + 1)
        if words:
            joined = _join(words)
            value = joined.value.replace(replaced, "$_") if program in ("parallel", "sem") else joined.value
            self._read_given(_replace(joined, value), depth)

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
        if rest and rest[0] is not _UNKNOWN_INPUT and not _is_stream(rest[0]):
            return  # the name of a file
        self._read_input(words[0].raw, stage if not rest else ShellStage(()), depth)

    def _read_input(self, program: str, stage: ShellStage, depth: int) -> None:
        """Read the input of a shell."""
        if stage.documents:
            for document in stage.documents:
                varies = "$" in document or "`" in document
                self._read_given(ShellWord("a here-document", document, varies), depth)
        elif (text := _find_here_string(stage)) is not None:
            self._read_given(text, depth)
        else:
            self.hidden = self.hidden or f"the input of {program}"

    def read_joined_arguments(self, words: Sequence[ShellWord], depth: int) -> None:
        """Read `eval`."""
        if rest := _drop_end_of_options(words[1:]):
            self._read_given(_join(rest), depth)

    def read_first_argument(self, words: Sequence[ShellWord], depth: int) -> None:
        """Read `trap`."""
        for word in _drop_end_of_options(words[1:])[:1]:
            self._read_given(word, depth)

    def read_every_argument(self, words: Sequence[ShellWord], depth: int) -> None:
        """Read what may be scripts among the words: `hyperfine`, `bind`, `tmux`."""
        for word in words[1:]:
            if any(char.isspace() for char in word.value):
                self.read_script(word.value.rpartition('": ')[2], depth + 1)
        if os.path.basename(words[0].value) != "tmux" or any(_TMUX_STARTERS.match(word.value) for word in words[1:]):
            self._guess(words[1:], len(words), depth)

    def read_after_option(self, words: Sequence[ShellWord], depth: int) -> None:
        """Read `jobs -x COMMAND`, `hash -p PROGRAM NAME`."""
        for at, word in enumerate(words[1:], 1):
            if word.value[:2] in ("-x", "-p"):
                glued = [_replace(word, word.value[2:])] if word.value[2:] else []
                self._expand([*glued, *words[at + 1 :]], ShellStage(()), depth + 1)

    def read_aliases(self, words: Sequence[ShellWord], depth: int) -> None:
        for word in words[1:]:
            if "=" in word.value:
                self._read_given(_replace(word, word.value.partition("=")[2]), depth)

    def read_sourced(self, words: Sequence[ShellWord], depth: int) -> None:
        if len(words) > 1 and _is_stream(words[1]):
            self.hidden = self.hidden or words[1].raw


_SPECIAL: dict[str, Callable[[_Reader, Sequence[ShellWord], int], None]] = {
    "eval": _Reader.read_joined_arguments,
    "trap": _Reader.read_first_argument,
    "hyperfine": _Reader.read_every_argument,
    "bind": _Reader.read_every_argument,
    "tmux": _Reader.read_every_argument,
    "jobs": _Reader.read_after_option,
    "hash": _Reader.read_after_option,
    "alias": _Reader.read_aliases,
    ".": _Reader.read_sourced,
    "source": _Reader.read_sourced,
}


def _replace(word: ShellWord, value: str) -> ShellWord:
    return ShellWord(word.raw, value, word.varies)


def _drop_end_of_options(words: Sequence[ShellWord]) -> Sequence[ShellWord]:
    return words[1:] if words and words[0].value == "--" else words


def _mark_input(words: Sequence[ShellWord], rest: Sequence[ShellWord]) -> list[ShellWord]:
    """Return the command of xargs with what its input replaces or extends."""
    replaced = shell_wrappers.find_replaced(words[: len(words) - len(rest)])
    if not replaced:
        return [*rest, _UNKNOWN_INPUT]
    return [ShellWord(word.raw, word.value, word.varies or replaced in word.value) for word in rest]


def _find_late_scripts(stage: ShellStage) -> Iterator[str]:
    """Yield what quotes hide only for a moment: a subscript in arithmetic, a value that the shell expands later."""
    for word in stage.every_word:
        if _QUOTED_SUBSTITUTION.search(word.raw) and (_SUBSCRIPT.search(word.value) or ASSIGNMENT.match(word.value)):
            yield from shell_stages.find_substitutions(word.value)


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


def _skip_condition(
    words: Sequence[ShellWord], every_word: Sequence[ShellWord], is_open: bool
) -> tuple[Sequence[ShellWord], bool]:
    """Return the words without the rest of a condition in `[[ ]]`, and True if one is open at their end."""
    if is_open:
        end = next((at for at, word in enumerate(words) if word.raw == "]]"), len(words))
        return words[end + 1 :], end == len(words)
    raws = [word.raw for word in every_word]
    first = next((raw for raw in raws if raw not in _RESERVED), "")  # behind a variable it is a program
    return words, first == "[[" and "]]" not in raws


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
        found = _HERE_STRING.match(word.raw)
        if found is not None:
            given = _replace(word, word.value[found.end() :])
            return given if given.value else next(iter(stage.every_word[at + 1 :]), None)
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
        elif raw.endswith(")") and _EMPTY_PARENTHESES.search(raw):
            at += 1
        elif _EMPTY_PARENTHESES.fullmatch(following):
            at += 2
        else:
            break
    return words[at:], named


def _find_exec(words: Sequence[ShellWord], options: re.Pattern[str]) -> Iterator[list[ShellWord]]:
    """Yield the commands behind `-exec` and the like, up to `;` or `{} +`."""
    varied = next((at for at, word in enumerate(words) if at and word.varies and word.raw.startswith("$")), 0)
    if varied and words[-1].value == ";" and not any(options.fullmatch(word.value) for word in words):
        yield list(words[varied:])
    for at, word in enumerate(words):
        found = options.fullmatch(word.value) if at else None
        if found is None:
            continue
        glued = [_replace(word, found["glued"])] if found["glued"] else []
        rest = list(words[at + 1 :])
        end = next((number for number, each in enumerate(rest) if _ends_exec(rest, number)), len(rest))
        command = [*glued, *rest[:end]]
        yield [*command, _UNKNOWN_INPUT] if command else []


def _ends_exec(words: Sequence[ShellWord], at: int) -> bool:
    return words[at].value == ";" or (words[at].value == "+" and at > 0 and words[at - 1].value == "{}")
