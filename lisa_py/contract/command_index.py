"""Index of all commands: their names and flags."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.command import Command


class CommandEntry(Struct, frozen=True, kw_only=True):
    """One command."""

    name: str
    """Its words, such as `session kill-all`."""
    summary: str
    command: Command
    spellings: tuple[str, ...] = ()
    """Words and flags that run the command without its name."""

    @property
    def flags(self) -> tuple[str, ...]:
        """All flags, in every spelling."""
        own = [spelling for field in self.command.fields for spelling in field.spellings()]
        json_min = ["--json-min"] if self.command.min is not None else []
        words = [word for word in self.spellings if word.startswith("-")]
        return (*own, *words, "--json", *json_min)


CommandIndex = tuple[CommandEntry, ...]
