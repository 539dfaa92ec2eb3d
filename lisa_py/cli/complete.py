"""Complete words in bash, zsh and fish by click's protocol."""

from __future__ import annotations

import click
from click.shell_completion import shell_complete

from lisa_py import commands
from lisa_py.cli import click_options

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_LISA_COMPLETE"


class LazyGroup(click.Group):
    """A group whose members are the files of a folder, loaded when needed."""

    def __init__(self, name: str, path: tuple[str, ...]) -> None:
        super().__init__(name)
        self._path = path

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*commands.groups(self._path), *commands.command_names(self._path)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        path = (*self._path, name)
        if commands.is_group(*path):
            return LazyGroup(name, path)
        command = commands.load(path)
        if command is None:
            return None
        click_command = click_options.build_click_command(path, command)
        click_command.short_help = commands.summary(path)
        click_command.hidden = command.hidden
        return click_command


def run(instruction: str) -> int:
    """Answer one completion request, or print the script (bash_source in click)."""
    return shell_complete(LazyGroup("lisa", ()), {}, "lisa", _VARIABLE, instruction)
