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

_WORDS = "words_"
"""Click name of the values that are given without their flags."""


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
    given = {field.name: found[field.name] for field in command.fields if found.get(field.name) not in (None, ())}
    free = [field for field in _list_positional(command) if field.name not in given]
    for word in found.get(_WORDS, ()):
        field = _choose_field(free, word)
        if field is None:
            raise UsageError("unknown_flag", _describe_extra_word(path, command, given, word))
        free.remove(field)
        given[field.name] = complete_name(word, given.get("project_root", "")) if field.name == "session" else word
    return given


def _list_positional(command: Command) -> list[Field]:
    """Return the fields whose flag name is optional: words of a fixed list before a session name."""
    found = [field for field in command.fields if field.flag.positional]
    return sorted(found, key=lambda field: field.name == "session")


def _choose_field(free: Sequence[Field], word: str) -> Field | None:
    """Return the field that takes a word: a session name is recognised by its prefix, an id by its form."""
    if paths.SESSION_NAME.match(word) or paths.SESSION_ID.match(word):
        return next((field for field in reversed(free)), None)
    return next(iter(free), None)


def _describe_extra_word(path: Sequence[str], command: Command, given: dict[str, Any], word: str) -> str:
    known = [f"{field.spelling} is {given[field.name]}" for field in _list_positional(command) if field.name in given]
    reason = f"; {' and '.join(known)} already" if known else ""
    return f"unexpected word: {word}{reason} (see {help_command(path)})"


def complete_name(word: str, root: str) -> str:
    """Return the session of the project that a word without prefix means; the word itself if there is none.

    Raise UsageError(invalid_session_name) if it means several.
    """
    if paths.SESSION_NAME.match(word) or paths.SESSION_ID.match(word):
        return word
    names = _list_sessions(root)
    exact = [name for name in names if name == f"lisa-{word}"]
    found = exact or [name for name in names if name.startswith(f"lisa-{word}-") or name.endswith(f"-{word}")]
    if len(found) > 1:
        raise UsageError("invalid_session_name", f"invalid --session: {word} means several: {', '.join(found)}")
    return found[0] if found else word


def build_click_command(path: Sequence[str], command: Command) -> click.Command:
    """Return the command with all its options."""
    params: list[click.Parameter] = [_build_option(field) for field in command.fields]
    positional = _list_positional(command)
    if positional:
        completer = _build_completer(positional[0])
        params.append(click.Argument([_WORDS], required=False, nargs=-1, shell_complete=completer))
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


def _list_sessions(root: str = "") -> list[str]:
    """Return the sessions of a project, including ended ones."""
    settings = env.read_settings()
    return [ref.session for ref in session_records.list_sessions(paths.resolve_project(root, settings))]
