"""One file per command; its path is its name: session/kill_all.py is `lisa session kill-all`. Groups may be nested.

Tests: tests/commands, a file per command; tests/house/test_commands.py for all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lisa_py.contract.command import Command
    from lisa_py.contract.command_index import CommandIndex

ROOT = os.path.dirname(__file__)
ALIASES: dict[tuple[str, ...], tuple[str, ...]] = {("session", "router"): ("session", "route")}
"""Old names that still work."""
SPELLINGS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("version",): ("--version", "-version", "-v"),
    ("session", "attach"): ("attach",),
    ("mcp", "serve"): ("mcp",),
}
"""Words that run a command without its name; the name of a group does so only by itself."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "delete": ("session", "kill"),
    "end": ("session", "kill"),
    "log": ("session", "capture"),
    "logs": ("session", "capture"),
    "ls": ("session", "list"),
    "new": ("session", "spawn"),
    "output": ("session", "capture"),
    "ps": ("session", "list"),
    "read": ("session", "capture"),
    "remove": ("session", "kill"),
    "rm": ("session", "kill"),
    "run": ("session", "spawn"),
    "start": ("session", "spawn"),
    "stop": ("session", "kill"),
    "tail": ("session", "capture"),
}
"""Words of other programs for a command; suggested if no command has the name."""


def load(path: Sequence[str]) -> Command | None:
    """Return the command of a path like ("session", "kill-all"); None if no file has that name."""
    name = module_path(path)
    if not all(word.replace("-", "").isalnum() and word == word.lower() for word in path):
        return None
    if not os.path.exists(os.path.join(ROOT, *name.split(".")) + ".py"):
        return None
    command: Command = __import__(f"{__name__}.{name}", fromlist=("COMMAND",)).COMMAND
    return command


def module_path(path: Sequence[str]) -> str:
    return ".".join(word.replace("-", "_") for word in path)


def is_group(*path: str) -> bool:
    """Return True if the words name a group."""
    is_name = all(word.isidentifier() for word in path)
    return is_name and os.path.exists(os.path.join(ROOT, *path, "__init__.py"))


def find_group(words: Sequence[str]) -> tuple[str, ...]:
    """Return the innermost group that the first words name; empty if they name none."""
    depth = 0
    while depth < len(words) and is_group(*words[: depth + 1]):
        depth += 1
    return tuple(words[:depth])


def groups(group: Sequence[str] = ()) -> list[str]:
    """Return the names of the groups within a group."""
    return sorted(entry for entry in os.listdir(os.path.join(ROOT, *group)) if is_group(*group, entry))


def command_names(group: Sequence[str] = ()) -> list[str]:
    """Return the names of the commands of a group."""
    return sorted(
        entry[:-3].replace("_", "-")
        for entry in os.listdir(os.path.join(ROOT, *group))
        if entry.endswith(".py") and not entry.startswith("_")
    )


def paths(group: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """Return the paths of all commands of a group and of the groups within it."""
    own = [(*group, name) for name in command_names(group)]
    return own + [path for inner in groups(group) for path in paths((*group, inner))]


def summary(path: Sequence[str]) -> str:
    """Return the first line of the docstring of a command or group."""
    module = __import__(f"{__name__}.{module_path(path)}", fromlist=("COMMAND",))
    return (module.__doc__ or "").strip().partition("\n")[0]


def build_index() -> CommandIndex:
    """Return every command with its flags, for capabilities and the skill."""
    from lisa_py.contract.command_index import CommandEntry  # noqa: PLC0415 - only who asks for all commands needs it

    loaded = ((path, load(path)) for path in paths())
    return tuple(
        CommandEntry(name=" ".join(path), summary=summary(path), command=command, spellings=SPELLINGS.get(path, ()))
        for path, command in loaded
        if command is not None
    )
