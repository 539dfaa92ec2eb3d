"""The surface of the program: what each command is called and which flags it takes."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.command import Command


class CommandEntry(Struct, frozen=True, kw_only=True):
    """One command as others see it."""

    name: str
    """Its words, as `session kill-all`."""
    summary: str
    command: Command
    spellings: tuple[str, ...] = ()
    """Flags that stand for the whole command."""

    @property
    def flags(self) -> tuple[str, ...]:
        """Every flag it takes, in every spelling."""
        own = [spelling for field in self.command.fields for spelling in field.spellings()]
        json_min = ["--json-min"] if self.command.min is not None else []
        return (*own, *self.spellings, "--json", *json_min)


CommandIndex = tuple[CommandEntry, ...]
