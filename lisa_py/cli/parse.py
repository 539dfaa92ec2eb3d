"""Parse the words of one call into the typed arguments of its command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from lisa_py import commands
from lisa_py.contract.command import Command, Field
from lisa_py.contract.errors import UsageError

JSON_FLAGS = (
    "--json",
    "--json-min",
    "--stream-json",
    "--emit-handoff",
    "--delta-json",
    "--watch-json",
    "--markers-json",
    "--semantic-delta",
)
"""Flags that imply JSON, known before parsing so that a parse error is JSON, too."""
CLIENT_GROUP = "ai"
"""The group whose commands print, fail and parse as the LimaCharlie client does."""


def detect_format(words: Sequence[str]) -> str:
    """Return text, json or json-min, from the words alone."""
    if "--json-min" in words:
        return "json-min"
    return "text" if set(words).isdisjoint(JSON_FLAGS) else "json"


def split_command(argv: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Split the words into the command path (which need not exist) and the rest; --json may precede the path."""
    if not argv:
        return (), []
    early = 0
    while early < len(argv) - 1 and argv[early] in ("--json", "--json-min"):
        early += 1
    argv = [*argv[early:], *argv[:early]]
    for path, spellings in commands.SPELLINGS.items():
        if argv[0] in spellings and (len(argv) == 1 or not commands.is_group(argv[0])):
            return path, list(argv[1:])
    if CLIENT_GROUP in argv:
        from lisa_py.cli import client_words  # noqa: PLC0415 - only for one group

        argv = client_words.arrange(argv)
    depth = len(commands.find_group(argv)) + 1
    path = tuple(argv[:depth])
    return commands.ALIASES.get(path, path), list(argv[depth:])


def read_arguments(path: Sequence[str], command: Command, words: Sequence[str]) -> tuple[Struct, frozenset[str]]:
    """Return the typed arguments and the names of the given fields.

    Raise UsageError: unknown_flag, missing_flag_value, missing_required_flag or the code of a flag.
    """
    fields = command.fields
    _reject_missing_values(path, fields, words)
    values = parse_plain(command, fields, words)
    if values is None:
        from lisa_py.cli import click_options  # noqa: PLC0415 - 20 ms that well-formed calls need not pay

        values = click_options.parse_values(path, command, words)
    return _build_arguments(path, command, fields, values)


def is_help_request(command: Command, words: Sequence[str]) -> bool:
    """Return True if the help page is requested: `--text -h` is a text."""
    value_flags = _collect_value_flags(command.fields)
    before = ""
    for word in words:
        if before not in value_flags and word in ("--help", "-h"):
            return True
        before = "" if before in value_flags else word
    return False


def _collect_value_flags(fields: Sequence[Field]) -> set[str]:
    return {spelling for field in fields if not field.is_switch for spelling in field.spellings()}


def parse_plain(command: Command, fields: Sequence[Field], words: Sequence[str]) -> dict[str, Any] | None:
    """Parse words that are all plain flags of this command; None leaves the judgement to click."""
    table = {spelling: field for field in fields for spelling in field.spellings()}
    json_flags = {"--json", "--json-min"} if command.min is not None else {"--json"}
    values: dict[str, Any] = {}
    queue = iter(words)
    for word in queue:
        name, equals, value = word.partition("=")
        field = table.get(name)
        if field is None:
            if word in json_flags:
                continue
            return None
        if field.is_switch:
            if equals:
                return None
            values[field.name] = name != field.flag.off_spelling
        elif equals:
            _store_value(values, field, value)
        else:
            following = next(queue, None)
            if following is None:
                return None
            _store_value(values, field, following)
    return values


def _store_value(values: dict[str, Any], field: Field, value: str) -> None:
    values[field.name] = (*values.get(field.name, ()), value) if field.flag.repeatable else value


def _reject_missing_values(path: Sequence[str], fields: Sequence[Field], words: Sequence[str]) -> None:
    """Refuse a flag as the value of another flag: the value was forgotten (`--flag=--value` is accepted)."""
    known = {"--json", "--json-min", "--help", *(spelling for field in fields for spelling in field.spellings())}
    value_flags = _collect_value_flags(fields)
    for word, following in zip(words, [*words[1:], None], strict=False):
        if word in value_flags and (following is None or following in known):
            raise UsageError("missing_flag_value", f"missing value for {word} (see {help_command(path)})")


def _build_arguments(
    path: Sequence[str], command: Command, fields: Sequence[Field], values: dict[str, Any]
) -> tuple[Struct, frozenset[str]]:
    converted: dict[str, Any] = {}
    for field in fields:
        if field.name in values:
            value = values[field.name]
            converted[field.name] = _convert_value(field, value)
    for field in fields:
        if field.required and not converted.get(field.name):
            raise UsageError("missing_required_flag", f"{field.spelling} is required (see {help_command(path)})")
    return command.args(**converted), frozenset(converted)


def _convert_value(field: Field, value: Any) -> Any:
    if field.flag.repeatable:
        return tuple(field.parse(one) for one in value)
    return value if field.is_switch else field.parse(value)


def help_command(path: Sequence[str]) -> str:
    return f"lisa {' '.join(path)} --help"
