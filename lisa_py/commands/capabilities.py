"""List every command with its flags, for programs."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py import commands
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Field
from lisa_py.contract.command_index import CommandEntry
from lisa_py.core.context import Context
from lisa_py.host.build import read_build
from lisa_py.host.clock import format_rfc3339


class Args(Struct, kw_only=True):
    """No flags."""


class Parameter(Struct, frozen=True, kw_only=True):
    """One flag and its values."""

    flag: str
    help: str
    type: str
    """string, integer, number, boolean or switch (a flag without a value)."""
    required: bool = False
    default: Any = UNSET
    choices: tuple[str, ...] | UnsetType = UNSET
    minimum: int | UnsetType = UNSET
    maximum: int | UnsetType = UNSET


class Capability(Struct, frozen=True, kw_only=True):
    """One command."""

    name: str
    description: str
    flags: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    errors: tuple[str, ...]
    """Error codes of this command, besides the common ones."""


class CapabilitiesResult(Answer):
    version: str
    commit: str
    date: str
    generated_at: str
    commands: tuple[Capability, ...]


def run(args: Args, ctx: Context) -> CapabilitiesResult:
    build_info = read_build(ctx.settings)
    return CapabilitiesResult(
        version=build_info.version,
        commit=build_info.commit,
        date=build_info.date,
        generated_at=format_rfc3339(ctx.clock.now()),
        commands=tuple(map(_build_capability, commands.build_index())),
    )


def _build_capability(entry: CommandEntry) -> Capability:
    return Capability(
        name=entry.name,
        description=entry.summary,
        flags=entry.flags,
        parameters=tuple(map(_build_parameter, entry.command.fields)),
        errors=entry.command.error_codes,
    )


def _build_parameter(field: Field) -> Parameter:
    type_names = {int: "integer", float: "number", bool: "boolean" if field.flag.boolean_word else "switch"}
    return Parameter(
        flag=field.spelling,
        help=field.flag.help,
        type=type_names.get(field.kind, "string"),
        required=field.required,
        default=UNSET if field.required or field.is_switch or field.default in ("", None) else field.default,
        choices=field.flag.choices or UNSET,
        minimum=UNSET if field.flag.minimum is None else field.flag.minimum,
        maximum=UNSET if field.flag.maximum is None else field.flag.maximum,
    )


class MinimalCapabilitiesResult(Answer):
    version: str
    commands: dict[str, str]
    """Summaries by command; `session schema` and --help have the details."""


def minimize(answer: CapabilitiesResult, args: Args) -> MinimalCapabilitiesResult:
    return MinimalCapabilitiesResult(
        version=answer.version, commands={command.name: command.description for command in answer.commands}
    )


def text(answer: CapabilitiesResult, args: Args) -> str:
    rows = (f"- {command.name} flags: {', '.join(command.flags)}" for command in answer.commands)
    return f"lisa {answer.version} (commit {answer.commit}, built {answer.date}) capabilities\n\n" + "\n".join(rows)


COMMAND = Command(
    group="programs",
    reads=True,
    args=Args,
    answer=CapabilitiesResult,
    run=run,
    text=text,
    min=minimize,
    example="lisa capabilities --json-min",
)
