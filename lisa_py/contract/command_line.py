"""Command lines that lisa suggests: built in one place from the name of a command and its flags."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.late_pattern import compile_late
from lisa_py.contract.quoting import quote

BINARY = "lisa"
VOCABULARY_FLAGS = frozenset(
    ("agent", "expect", "mode", "nested_policy", "nesting_intent", "stop_on_waiting", "strategy", "summary_style", "to")
)
"""Flags whose values are words of a fixed list: written without quotes."""
_PLAIN_WORD = compile_late(r"[A-Za-z0-9_.-]+\Z")


class ShellVariable(str):
    """Name of a variable that the shell of the reader expands."""

    __slots__ = ()

    @property
    def reference(self) -> str:
        return f'"${self}"'


FlagValue = str | int | None


class SuggestedFlag(Struct, frozen=True):
    """One flag of a suggested command."""

    name: str
    """Field of the `Args` of the command, or json, json_min."""
    value: str | int
    """True: a switch."""

    @property
    def spelling(self) -> str:
        return "--" + self.name.rstrip("_").replace("_", "-")

    @property
    def is_switch(self) -> bool:
        return self.value is True

    def shell_text(self) -> str:
        """Return the value, quoted for a shell."""
        if isinstance(self.value, ShellVariable):
            return self.value.reference
        is_word = self.name in VOCABULARY_FLAGS and _PLAIN_WORD.match(str(self.value))
        return str(self.value) if isinstance(self.value, int) or is_word else quote(self.value)


class CommandLine(Struct, frozen=True):
    """A command with flags; `str` gives the text for a shell."""

    name: str
    """Name of the command: `session send`."""
    flags: tuple[SuggestedFlag, ...]
    binary: str = BINARY

    @property
    def argv(self) -> tuple[str, ...]:
        words = [self.binary, *self.name.split()]
        for flag in self.flags:
            words += [flag.spelling] if flag.is_switch else [flag.spelling, str(flag.value)]
        return tuple(words)

    def __str__(self) -> str:
        words = [_quote_program(self.binary), self.name]
        for flag in self.flags:
            words += [flag.spelling] if flag.is_switch else [flag.spelling, flag.shell_text()]
        return " ".join(words)


def _quote_program(path: str) -> str:
    if isinstance(path, ShellVariable):
        return path.reference
    import shlex  # noqa: PLC0415 - only suggestions need it

    return path if path == shlex.quote(path) else quote(path)


def build(name: str, /, *, binary: str = BINARY, **flags: FlagValue) -> CommandLine:
    """Return the command line of a command with flags in the given order; empty and False ones are omitted.

    tests/house/test_suggestions.py checks each call in the package against the `Args` of the command.
    """
    given = tuple(
        SuggestedFlag(key, value)
        for key, value in flags.items()
        if value is not None and value is not False and value != ""
    )
    return CommandLine(name, given, binary)
