"""Commands as click knows them: it judges calls that are not plainly right, and completes words in the shell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from lisa_py import agents
from lisa_py.cli.parse import help_of
from lisa_py.contract.command import Command, Field
from lisa_py.contract.errors import UsageError
from lisa_py.host import env
from lisa_py.store import places, session

_WORD = "_word"
"""Ends the click name of a value that may stand without its flag."""


def values(path: Sequence[str], command: Command, words: Sequence[str]) -> dict[str, Any]:
    """The written value of each field that was given.

    Raises UsageError(unknown_flag | missing_flag_value).
    """
    try:
        found = click_command(path, command).make_context(path[-1], list(words)).params
    except click.NoSuchOption as problem:
        raise UsageError(
            "unknown_flag", f"unknown flag: {problem.option_name}{_near(problem)} (see {help_of(path)})"
        ) from None
    except click.BadOptionUsage as problem:
        code = "missing_flag_value" if "requires an argument" in problem.message else "unknown_flag"
        text = f"missing value for {problem.option_name}" if code == "missing_flag_value" else problem.message
        raise UsageError(code, f"{text} (see {help_of(path)})") from None
    except click.UsageError as problem:
        extra = problem.message.rpartition("(")[2].rstrip(")")
        raise UsageError("unknown_flag", f"unknown flag: {extra} (see {help_of(path)})") from None
    return _given(path, command, found)


def _near(problem: click.NoSuchOption) -> str:
    return f"; did you mean {problem.possibilities[0]}?" if problem.possibilities else ""


def _given(path: Sequence[str], command: Command, found: dict[str, Any]) -> dict[str, Any]:
    given = {}
    for field in command.fields:
        flag, word = found.get(field.name), found.get(field.name + _WORD)
        if flag is not None and word is not None:
            raise UsageError("unknown_flag", f"unknown flag: {word} ({field.spelling} is given; see {help_of(path)})")
        value = word if flag is None else flag
        if value is not None and value != ():
            given[field.name] = value
    return given


def click_command(path: Sequence[str], command: Command) -> click.Command:
    """The command with all its options."""
    params: list[click.Parameter] = [_option(field) for field in command.fields]
    for field in command.fields:
        if field.flag.positional:
            name = field.name + _WORD
            params.append(click.Argument([name], required=False, shell_complete=_completed(field)))
    params.append(click.Option(["--json", "json_"], is_flag=True, help="answer one JSON object"))
    if command.min is not None:
        params.append(click.Option(["--json-min", "json_min_"], is_flag=True, help="only what a polling loop needs"))
    return click.Command(path[-1], params=params, add_help_option=False)


def _option(field: Field) -> click.Option:
    names = [name for name in field.spellings() if name != field.flag.off]
    if field.is_switch:
        spelled = "/".join(filter(None, (names[0], field.flag.off)))
        return click.Option([spelled, *names[1:], field.name], is_flag=True, default=None, help=field.flag.help)
    return click.Option(
        [*names, field.name],
        type=str,
        metavar=metavar(field),
        default=None,
        multiple=field.flag.many,
        help=field.flag.help,
        shell_complete=_completed(field),
    )


def choices(field: Field) -> tuple[str, ...]:
    """The words a field takes, the names of agents among them; empty when it takes any."""
    if field.flag.choices or "AGENT" not in field.flag.metavar.split("|"):
        return field.flag.choices
    words = field.flag.metavar.split("|")
    return tuple(name for word in words for name in (agents.names() if word == "AGENT" else (word,)))


def metavar(field: Field) -> str:
    return "|".join(choices(field)) or field.metavar


def _completed(field: Field) -> Callable[[click.Context, click.Parameter, str], list[Any]] | None:
    words = choices(field) or (("true", "false") if field.flag.word else ())
    if words:
        return lambda ctx, param, incomplete: [word for word in words if word.startswith(incomplete)]
    if field.name == "session":
        return lambda ctx, param, incomplete: [name for name in _sessions() if name.startswith(incomplete)]
    kind = {"PATH": "file"}.get(field.flag.metavar)
    if kind:
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - completion only

        return lambda ctx, param, incomplete: [CompletionItem(incomplete, type=kind)]
    return None


def _sessions() -> list[str]:
    """The sessions of the current project, ended ones included."""
    here = env.settings()
    return [place.session for place in session.known(places.project("", here))]
