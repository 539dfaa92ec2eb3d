"""Parse a shell line into the commands it would run, including those in quotes, wrappers and substitutions."""

from __future__ import annotations

import itertools
import os
import re
import shlex
from collections.abc import Iterator, Sequence

from msgspec import Struct

_PUNCTUATION = ";&|()<>`\n"
_SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "ash", "fish")
_WRAPPERS = (
    "sudo", "doas", "env", "nohup", "exec", "command", "builtin", "time", "timeout", "nice", "ionice", "xargs",
    "watch", "setsid", "stdbuf", "flock", "parallel", "find", "busybox", "chroot", "runuser", "su", "script", "strace",
)  # fmt: skip
_RESERVED = ("if", "then", "else", "elif", "do", "while", "until", "for", "!", "{", "}", "case", "in", "coproc")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_MAX_DEPTH = 6


class ShellSyntaxError(Exception):
    """The shell would refuse the line, too, or it is nested too deeplylyly."""


class ShellCommand(Struct, frozen=True):
    """One command of the line."""

    words: tuple[str, ...]
    """Never empty."""
    guessed: bool = False
    """A tail of the words of a wrapper: possibly the wrapped command."""

    @property
    def text(self) -> str:
        return " ".join(self.words)


def parse_commands(text: str) -> list[ShellCommand]:
    """Return each command in order; a wrapper (sudo, xargs, sh -c) also yields its wrapped command. Raise
    ShellSyntaxError."""
    return list(_parse(text, 0))


def _parse(text: str, depth: int) -> Iterator[ShellCommand]:
    if depth > _MAX_DEPTH:
        raise ShellSyntaxError("nested too deeplyly")
    for words in _split_chain(text):
        yield from _expand_command(words, depth)


def _split_chain(text: str) -> Iterator[list[str]]:
    """Yield the commands of one chain, split at shell operators."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=_PUNCTUATION)
    lexer.whitespace = " \t\r\f\v"
    lexer.whitespace_split = True
    lexer.commenters = ""  # shlex would see a comment in a#b
    words: list[str] = []
    try:
        for token in lexer:
            if not _is_separator(token):
                words.append(token)
            elif words:
                yield words
                words = []
    except ValueError as problem:
        raise ShellSyntaxError(str(problem).lower()) from problem
    if words:
        yield words


def _is_separator(token: str) -> bool:
    if not token or set(token) - set(_PUNCTUATION):
        return False
    return not set(token) & set("<>") or "(" in token or ")" in token


def _expand_command(words: Sequence[str], depth: int, *, guessed: bool = False) -> Iterator[ShellCommand]:
    words = _strip_prefix(words)
    if not words:
        return
    yield ShellCommand(tuple(words), guessed)
    for word in words:
        for inner in _find_substitutions(word):
            yield from _parse(inner, depth + 1)
    program = os.path.basename(words[0])
    if program in _SHELLS:
        for script in _find_scripts(words):
            yield from _parse(script, depth + 1)
    elif program == "eval":
        yield from _parse(" ".join(words[1:]), depth + 1)
    elif program in _WRAPPERS:
        yield from _expand_wrapper(words, depth)


def _strip_prefix(words: Sequence[str]) -> Sequence[str]:
    """Return the words without assignments and shell keywords at the front."""
    start = 0
    while start < len(words) and (words[start] in _RESERVED or _ASSIGNMENT.match(words[start])):
        start += 1
    return words[start:]


def _expand_wrapper(words: Sequence[str], depth: int) -> Iterator[ShellCommand]:
    """Yield every tail of the words of a wrapper: its options determine the start of the command."""
    if words[:2] in (["command", "-v"], ["command", "-V"]):  # only locates a program
        return
    for start in range(1, len(words)):
        if not words[start].startswith("-"):
            if os.path.basename(words[start]) in (*_SHELLS, "eval"):
                yield from _expand_command(words[start:], depth + 1, guessed=True)
                return
            yield ShellCommand(tuple(words[start:]), guessed=True)
        elif words[start] in ("-c", "--command") and start + 1 < len(words):
            yield from _parse(words[start + 1], depth + 1)


def _find_scripts(words: Sequence[str]) -> Iterator[str]:
    for option, value in itertools.pairwise(words):
        if re.match(r"-[a-z]*c[a-z]*\Z", option):
            yield value


def _find_substitutions(word: str) -> Iterator[str]:
    """Yield the content of $(...) and backticks inside a word, at any depth."""
    for found in re.finditer(r"`([^`]*)`", word):
        yield found[1]
    start = word.find("$(")
    while start >= 0:
        end = _find_closing(word, start + 1)
        yield word[start + 2 : end]
        start = word.find("$(", end)


def _find_closing(word: str, start: int) -> int:
    depth = 0
    for at in range(start, len(word)):
        depth += {"(": 1, ")": -1}.get(word[at], 0)
        if depth == 0:
            return at
    return len(word)
