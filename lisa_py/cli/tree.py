"""The command tree: the files below commands/ are the registration; click parses, lists and completes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click
from msgspec import NODEFAULT, Struct

import lisa_py.commands
from lisa_py.cli import render
from lisa_py.contract.command import Command, Field
from lisa_py.contract.errors import UsageError
from lisa_py.core.context import Context
from lisa_py.host import env

ROOT = os.path.dirname(lisa_py.commands.__file__)
ALIASES = {("session", "router"): ("session", "route")}
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
"""Flags that ask for JSON, known before parsing so that a parse error can be JSON too."""


def format_of(argv: Sequence[str]) -> str:
    """text, json or json-min, from the words alone."""
    words = set(argv)
    if "--json-min" in words:
        return "json-min"
    return "json" if words.intersection(JSON_FLAGS) or tuple(argv[:2]) == ("session", "turn") else "text"


def module_path(path: Sequence[str]) -> str:
    return ".".join(word.replace("-", "_") for word in path)


def load(path: Sequence[str]) -> Command | None:
    """The command of a path like ("session", "kill-all"); None when no file has that name."""
    name = module_path(path)
    file = os.path.join(ROOT, *name.split(".")) + ".py"
    if not all(word.replace("-", "").isalnum() and word == word.lower() for word in path) or not os.path.exists(file):
        return None
    found: Command = importlib.import_module("lisa_py.commands." + name).COMMAND
    return found


def groups() -> list[str]:
    return sorted(entry for entry in os.listdir(ROOT) if os.path.exists(os.path.join(ROOT, entry, "__init__.py")))


def leaves(group: Sequence[str] = ()) -> list[str]:
    """Names of the commands directly in a group."""
    folder = os.path.join(ROOT, *group)
    return sorted(
        entry[:-3].replace("_", "-")
        for entry in os.listdir(folder)
        if entry.endswith(".py") and not entry.startswith("_")
    )


def paths() -> list[tuple[str, ...]]:
    """Every command of the program."""
    return [(name,) for name in leaves()] + [(group, name) for group in groups() for name in leaves((group,))]


def summary(path: Sequence[str]) -> str:
    """First line of the command file's docstring."""
    module = importlib.import_module("lisa_py.commands." + module_path(path))
    return (module.__doc__ or "").strip().splitlines()[0]


def run(argv: list[str], form: str) -> int:
    """Find the command, read its arguments, run it, show its answer; returns the exit code."""
    if os.environ.get("_LISA_COMPLETE"):
        from lisa_py.cli import complete  # noqa: PLC0415

        return complete.run()
    path, rest = _split(argv)
    command = load(path) if path else None
    if command is None:
        from lisa_py.cli import manual  # noqa: PLC0415

        return manual.without_command(argv, form)
    if "--help" in rest or "-h" in rest:
        from lisa_py.cli import manual  # noqa: PLC0415

        return manual.show(path, command)
    args, given = read(path, command, rest)
    ctx = context(form, given)
    result = command.run(args, ctx)
    return render.answer(command, result, args, form)


def context(form: str, given: frozenset[str]) -> Context:
    return Context(
        env.settings(),
        given=given,
        form=form,
        emit=render.event,
        warn=render.warn,
        progress=render.progress(),
        stdin=lambda: sys.stdin.buffer.read(),
    )


def _split(argv: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    if not argv:
        return (), []
    if argv[0] in ("--version", "-version", "-v"):
        return ("version",), []
    if len(argv) > 1 and os.path.isdir(os.path.join(ROOT, argv[0].replace("-", "_"))):
        pair = (argv[0], argv[1])
        return ALIASES.get(pair, pair), list(argv[2:])
    return (argv[0],), list(argv[1:])


def read(path: Sequence[str], command: Command, words: list[str]) -> tuple[Struct, frozenset[str]]:
    """Typed arguments and the names of the fields that were given.

    Raises UsageError: unknown_flag, missing_flag_value, missing_required_flag or a flag's own code.
    """
    parser = click_command(path, command)
    _check_values(command, words)
    try:
        values = parser.make_context(path[-1], words, resilient_parsing=False).params
    except click.NoSuchOption as problem:
        raise UsageError("unknown_flag", f"unknown flag: {problem.option_name} (see {_help(path)})") from None
    except click.BadOptionUsage as problem:
        raise UsageError("missing_flag_value", f"missing value for {problem.option_name}") from None
    except click.UsageError as problem:
        raise UsageError("unknown_flag", f"{problem.format_message()} (see {_help(path)})") from None
    return typed(path, command, values)


def typed(path: Sequence[str], command: Command, values: dict[str, Any]) -> tuple[Struct, frozenset[str]]:
    ready, given = {}, set()
    for field in command.fields:
        value = values.get(field.name)
        if value is None:
            continue
        given.add(field.name)
        ready[field.name] = value if field.is_switch else field.read(value)
    for field in command.fields:
        if field.required and not ready.get(field.name):
            raise UsageError("missing_required_flag", f"{field.spelling} is required (see {_help(path)})")
    return command.args(**ready), frozenset(given)


def _check_values(command: Command, words: list[str]) -> None:
    """A flag's value that is itself a flag of this command was forgotten, not meant."""
    known = {"--json", "--json-min", "--help"}
    takes: set[str] = set()
    for field in command.fields:
        known.update(field.spellings())
        if not field.is_switch:
            takes.update((field.spelling, *field.flag.also))
    for word, following in zip(words, [*words[1:], None], strict=False):
        if word in takes and (following is None or following in known):
            raise UsageError("missing_flag_value", f"missing value for {word}")


def _help(path: Sequence[str]) -> str:
    return "lisa " + " ".join(path) + " --help"


def click_command(path: Sequence[str], command: Command) -> click.Command:
    """The command as click knows it, for parsing, completion and help."""
    params: list[click.Parameter] = [option(field) for field in command.fields]
    for field in command.fields:
        if field.flag.positional:
            params.append(click.Argument([f"{field.name}_word"], required=False))
    params += [click.Option(["--json", "json_"], is_flag=True, help="answer one JSON object")]
    if command.min is not None:
        params += [click.Option(["--json-min", "json_min_"], is_flag=True, help="answer the few fields loops need")]
    return click.Command(path[-1], params=params, add_help_option=False)


def option(field: Field) -> click.Option:
    names = [name for name in field.spellings() if name != field.flag.off]
    if field.is_switch:
        spelled = "/".join(filter(None, (names[0], field.flag.off)))
        return click.Option([spelled, *names[1:], field.name], is_flag=True, default=None, help=field.flag.help)
    return click.Option(
        [*names, field.name],
        type=str,
        metavar=field.metavar,
        default=None,
        help=field.flag.help,
        shell_complete=_choices(field),
    )


def _choices(field: Field) -> Any:
    if not field.flag.choices:
        return None
    return lambda ctx, param, incomplete: [word for word in field.flag.choices if word.startswith(incomplete)]


def default_text(field: Field) -> str:
    if field.default in (NODEFAULT, "", None, False, ()):
        return ""
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
