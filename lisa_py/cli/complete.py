"""Shell completion for bash, zsh and fish, by click's own protocol."""

from __future__ import annotations

import os

import click
from click.shell_completion import shell_complete

from lisa_py.cli import tree


class Lazy(click.Group):
    """A group whose members are the files of a folder, loaded when needed."""

    def __init__(self, name: str, path: tuple[str, ...]) -> None:
        super().__init__(name)
        self._path = path

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*(tree.groups() if not self._path else []), *tree.leaves(self._path)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if not self._path and name in tree.groups():
            return Lazy(name, (name,))
        command = tree.load((*self._path, name))
        return tree.click_command((*self._path, name), command) if command else None


def run() -> int:
    """Answer one completion request, or print the script to be sourced."""
    return shell_complete(Lazy("lisa", ()), {}, "lisa", "_LISA_COMPLETE", os.environ["_LISA_COMPLETE"])
