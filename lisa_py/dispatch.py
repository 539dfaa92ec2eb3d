"""Run a command by its name with its arguments as JSON: the base of every face but the command line.

Tests: tests/commands/test_peer.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from lisa_py import commands
from lisa_py.contract import projection
from lisa_py.contract.command import Command, Field
from lisa_py.contract.errors import UsageError, find_similar
from lisa_py.core.context import Context

FORMATS = ("json", "json-min")


class CommandResult(Struct, frozen=True, kw_only=True):
    """The answer of a command."""

    answer: Any
    """The JSON object that the command line prints for it, without `stderrPolicy`."""
    exit_code: int


class Call(Struct, frozen=True, kw_only=True):
    """A command with its typed arguments."""

    command: Command
    args: Any
    given: frozenset[str]
    """Names of the fields that the caller gave."""

    def run(self, ctx: Context) -> CommandResult:
        """Return the answer in the format of the context. Raise LisaError."""
        result = self.command.run(self.args, ctx)
        is_short = ctx.output_format == "json-min" and self.command.min is not None
        shown = projection.minimize(self.command, result, self.args) if is_short else result
        code = self.command.exit_code(result)
        return CommandResult(answer=projection.describe_failure(msgspec.to_builtins(shown), code), exit_code=code)


def find_command(name: str) -> Command:
    """Return the command of a name such as `session status`. Raise UsageError(unknown_command)."""
    words = tuple(name.split())
    command = commands.load(commands.ALIASES.get(words, words)) if words else None
    if command is None:
        raise UsageError("unknown_command", f"unknown command: {name} (lisa capabilities lists them)")
    if command.face:
        raise UsageError("unknown_command", f"{name} runs only on the command line")
    return command


def build_call(name: str, given: Mapping[str, Any]) -> Call:
    """Return the call of a command with arguments by field or flag name: project_root, projectRoot, project-root.

    Raise UsageError: unknown_command, unknown_flag, missing_required_flag or the code of a flag.
    """
    command = find_command(name)
    fields = {_normalise(field.name): field for field in command.fields}
    values: dict[str, Any] = {}
    for key, value in given.items():
        field = fields.get(_normalise(key))
        if field is None:
            similar = find_similar(_normalise(key), fields)
            hint = f"; did you mean {fields[similar].name}?" if similar else ""
            text = f"unknown argument of {name}: {key}{hint} (lisa {name} --help lists the flags)"
            raise UsageError("unknown_flag", text)
        if value is not None:
            values[field.name] = _convert(field, value)
    for field in fields.values():
        if field.required and not values.get(field.name):
            raise UsageError("missing_required_flag", f"{field.spelling} is required (see lisa {name} --help)")
    return Call(command=command, args=command.args(**values), given=frozenset(values))


def _normalise(name: str) -> str:
    return name.lstrip("-").replace("-", "").replace("_", "").lower()


def _convert(field: Field, value: Any) -> Any:
    """Return the typed value of a JSON value; text is accepted wherever the command line accepts it."""
    if field.flag.repeatable:
        listed = value if isinstance(value, list) else [value]
        return tuple(field.parse(_to_text(field, each)) for each in listed)
    if field.is_switch:
        if not isinstance(value, bool):
            raise _make_type_error(field, value, "true or false")
        return value
    return field.parse(_to_text(field, value))


def _to_text(field: Field, value: Any) -> str:
    if isinstance(value, str):
        if "\0" in value:  # no argument of a process can have one
            raise _make_type_error(field, value, f"{field.metavar} without NUL characters")
        return value
    if isinstance(value, bool):
        if not field.flag.boolean_word:
            raise _make_type_error(field, value, field.metavar)
        return "true" if value else "false"
    if isinstance(value, int | float) and field.kind in (int, float):
        return str(value)
    raise _make_type_error(field, value, field.metavar)


def _make_type_error(field: Field, value: Any, expected: str) -> UsageError:
    shown = msgspec.json.encode(value).decode()[:200]
    return UsageError(field.code, f"invalid {field.name}: {shown} (expected {expected})")
