"""One file per command; its path is its name: session/kill_all.py is `lisa session kill-all`."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lisa_py.contract.command import Command
    from lisa_py.contract.command_index import CommandIndex

ROOT = os.path.dirname(__file__)
ALIASES: dict[tuple[str, ...], tuple[str, ...]] = {("session", "router"): ("session", "route")}
"""Further names, kept for those who know them."""
SPELLINGS: dict[tuple[str, ...], tuple[str, ...]] = {("version",): ("--version", "-version", "-v")}
"""Flags that stand for a whole command."""


def load(path: Sequence[str]) -> Command | None:
    """The command of a path like ("session", "kill-all"); None when no file has that name."""
    name = module_path(path)
    if not all(word.replace("-", "").isalnum() and word == word.lower() for word in path):
        return None
    if not os.path.exists(os.path.join(ROOT, *name.split(".")) + ".py"):
        return None
    command: Command = importlib.import_module(f"{__name__}.{name}").COMMAND
    return command


def module_path(path: Sequence[str]) -> str:
    return ".".join(word.replace("-", "_") for word in path)


def is_group(word: str) -> bool:
    return word.isidentifier() and os.path.exists(os.path.join(ROOT, word, "__init__.py"))


def groups() -> list[str]:
    return sorted(entry for entry in os.listdir(ROOT) if is_group(entry))


def command_names(group: Sequence[str] = ()) -> list[str]:
    """Names of the commands directly in a group."""
    return sorted(
        entry[:-3].replace("_", "-")
        for entry in os.listdir(os.path.join(ROOT, *group))
        if entry.endswith(".py") and not entry.startswith("_")
    )


def paths() -> list[tuple[str, ...]]:
    """Every command of the program."""
    return [(name,) for name in command_names()] + [
        (group, name) for group in groups() for name in command_names((group,))
    ]


def summary(path: Sequence[str]) -> str:
    """First line of the docstring of a command's file, or of its group's."""
    module = importlib.import_module(f"{__name__}.{module_path(path)}")
    return (module.__doc__ or "").strip().partition("\n")[0]


def build_index() -> CommandIndex:
    """Every command with its flags, as capabilities and the skill tell them."""
    from lisa_py.contract.command_index import CommandEntry  # noqa: PLC0415 - only who asks for all commands needs it

    loaded = ((path, load(path)) for path in paths())
    return tuple(
        CommandEntry(name=" ".join(path), summary=summary(path), command=command, spellings=SPELLINGS.get(path, ()))
        for path, command in loaded
        if command is not None
    )
