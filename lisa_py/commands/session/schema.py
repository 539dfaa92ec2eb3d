"""Print the JSON Schema of the answers of commands."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py import commands
from lisa_py.contract import jsontext, schema
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context

Schema = dict[str, Any]


class Args(Struct, kw_only=True):
    command: Annotated[
        str, Flag(help="one command; `session ` is optional", metavar="NAME", code="unknown_schema_command")
    ] = ""


class SchemaResult(Struct, frozen=True, kw_only=True):
    """Schemas of the output of one command."""

    command: str
    schema: Schema
    """Under --json."""
    error: Schema
    """On failure."""
    min: Schema | UnsetType = UNSET
    """Under --json-min, if supported."""
    events: Schema | UnsetType = UNSET
    """Lines before the answer of a streaming command."""


class AllSchemasResult(Struct, frozen=True, kw_only=True):
    """Schemas of all commands by name."""

    commands: dict[str, Schema]
    error: dict[str, Schema]
    min: dict[str, Schema]
    events: dict[str, Schema]


def run(args: Args, ctx: Context) -> SchemaResult | AllSchemasResult:
    if args.command.strip():
        return _build_schema(_resolve_command(args.command))
    results = [_build_schema(path) for path in commands.paths()]
    return AllSchemasResult(
        commands={one.command: one.schema for one in results},
        error={one.command: one.error for one in results},
        min={one.command: one.min for one in results if one.min is not UNSET},
        events={one.command: one.events for one in results if one.events is not UNSET},
    )


def _resolve_command(name: str) -> tuple[str, ...]:
    path = tuple(name.lower().split())
    for candidate in (path, ("session", *path)):
        candidate = commands.ALIASES.get(candidate, candidate)
        if candidate in commands.paths():
            return candidate
    raise LisaError("unknown_schema_command", f"unknown --command: {name} (lisa session schema lists them)")


def _build_schema(path: tuple[str, ...]) -> SchemaResult:
    command = commands.load(path)
    assert command is not None
    return SchemaResult(
        command=" ".join(path),
        schema=schema.answer_schema(command),
        error=schema.failure_schema(command.error_codes),
        min=schema.min_schema(command) or UNSET,
        events=schema.event_schema(command) or UNSET,
    )


class MinimalSchemaResult(Answer):
    """Keys of the answers, `key?` for one that may be omitted."""

    command: str
    keys: tuple[str, ...]
    """Under --json."""
    min: tuple[str, ...] | UnsetType = UNSET
    """Under --json-min, if supported."""
    events: tuple[str, ...] | UnsetType = UNSET
    """In lines before the answer."""


class MinimalAllSchemasResult(Answer):
    commands: dict[str, tuple[str, ...]]
    """Keys under --json by command."""


def minimize(answer: SchemaResult | AllSchemasResult, args: Args) -> MinimalSchemaResult | MinimalAllSchemasResult:
    if isinstance(answer, AllSchemasResult):
        return MinimalAllSchemasResult(
            commands={name: schema.list_keys(described) for name, described in answer.commands.items()}
        )
    return MinimalSchemaResult(
        command=answer.command,
        keys=schema.list_keys(answer.schema),
        min=UNSET if answer.min is UNSET else schema.list_keys(answer.min),
        events=UNSET if answer.events is UNSET else schema.list_keys(answer.events),
    )


def text(answer: SchemaResult | AllSchemasResult, args: Args) -> str:
    if isinstance(answer, AllSchemasResult):
        return "\n".join(sorted(answer.commands))
    return f"{answer.command}\n{jsontext.encode_document(answer.schema).decode().rstrip()}"


COMMAND = Command(
    group="programs",
    reads=True,
    args=Args,
    answer=SchemaResult | AllSchemasResult,
    run=run,
    text=text,
    min=minimize,
    example="lisa session schema --command status --json",
)
