"""Commands as click commands: parse calls that need its judgement, and complete words in the shell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from lisa_py import agents
from lisa_py.cli.parse import help_command
from lisa_py.contract.command import Command, Field
from lisa_py.contract.errors import UsageError
from lisa_py.host import env
from lisa_py.store import paths, session_records

_POSITIONAL_SUFFIX = "_word"
"""Suffix of the click name of a value that may be given without its flag."""


def parse_values(path: Sequence[str], command: Command, words: Sequence[str]) -> dict[str, Any]:
    """Return the written value of each given field.

    Raise UsageError(unknown_flag | missing_flag_value).
    """
    try:
        found = build_click_command(path, command).make_context(path[-1], list(words)).params
    except click.NoSuchOption as problem:
        raise UsageError(
            "unknown_flag", f"unknown flag: {problem.option_name}{_suggest_option(problem)} (see {help_command(path)})"
        ) from None
    except click.BadOptionUsage as problem:
        code = "missing_flag_value" if "requires an argument" in problem.message else "unknown_flag"
        text = f"missing value for {problem.option_name}" if code == "missing_flag_value" else problem.message
        raise UsageError(code, f"{text} (see {help_command(path)})") from None
    except click.UsageError as problem:
        extra = problem.message.rpartition("(")[2].rstrip(")")
        raise UsageError("unknown_flag", f"unknown flag: {extra} (see {help_command(path)})") from None
    return _collect_values(path, command, found)


def _suggest_option(problem: click.NoSuchOption) -> str:
    return f"; did you mean {problem.possibilities[0]}?" if problem.possibilities else ""


def _collect_values(path: Sequence[str], command: Command, found: dict[str, Any]) -> dict[str, Any]:
    collected = {}
    for field in command.fields:
        flag, word = found.get(field.name), found.get(field.name + _POSITIONAL_SUFFIX)
        if flag is not None and word is not None:
            raise UsageError(
                "unknown_flag", f"unknown flag: {word} ({field.spelling} is given; see {help_command(path)})"
            )
        value = word if flag is None else flag
        if value is not None and value != ():
            collected[field.name] = value
    return collected


def build_click_command(path: Sequence[str], command: Command) -> click.Command:
    """Return the command with all its options."""
    params: list[click.Parameter] = [_build_option(field) for field in command.fields]
    for field in command.fields:
        if field.flag.positional:
            name = field.name + _POSITIONAL_SUFFIX
            params.append(click.Argument([name], required=False, shell_complete=_build_completer(field)))
    params.append(click.Option(["--json", "json_"], is_flag=True, help="answer one JSON object"))
    if command.min is not None:
        params.append(click.Option(["--json-min", "json_min_"], is_flag=True, help="only the fields for polling loops"))
    return click.Command(path[-1], params=params, add_help_option=False)


def _build_option(field: Field) -> click.Option:
    names = [name for name in field.spellings() if name != field.flag.off_spelling]
    if field.is_switch:
        spelled = "/".join(filter(None, (names[0], field.flag.off_spelling)))
        return click.Option([spelled, *names[1:], field.name], is_flag=True, default=None, help=field.flag.help)
    return click.Option(
        [*names, field.name],
        type=str,
        metavar=metavar(field),
        default=None,
        multiple=field.flag.repeatable,
        help=field.flag.help,
        shell_complete=_build_completer(field),
    )


def choices(field: Field) -> tuple[str, ...]:
    """Return the words a field accepts, including agent names; empty if it accepts any."""
    if field.flag.choices or "AGENT" not in field.flag.metavar.split("|"):
        return field.flag.choices
    words = field.flag.metavar.split("|")
    return tuple(name for word in words for name in (agents.names() if word == "AGENT" else (word,)))


def metavar(field: Field) -> str:
    return "|".join(choices(field)) or field.metavar


def _build_completer(field: Field) -> Callable[[click.Context, click.Parameter, str], list[Any]] | None:
    words = choices(field) or (("true", "false") if field.flag.boolean_word else ())
    if words:
        return lambda ctx, param, incomplete: [word for word in words if word.startswith(incomplete)]
    if field.name == "session":
        return lambda ctx, param, incomplete: [name for name in _list_sessions() if name.startswith(incomplete)]
    kind = {"PATH": "file"}.get(field.flag.metavar)
    if kind:
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - completion only

        return lambda ctx, param, incomplete: [CompletionItem(incomplete, type=kind)]
    return None


def _list_sessions() -> list[str]:
    """Return the sessions of the current project, including ended ones."""
    settings = env.read_settings()
    return [ref.session for ref in session_records.list_sessions(paths.resolve_project("", settings))]
