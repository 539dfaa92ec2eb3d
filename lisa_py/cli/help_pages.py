"""Help pages: purpose of a command, its flags, an example, its exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from msgspec import NODEFAULT

from lisa_py import commands
from lisa_py.cli import click_options
from lisa_py.contract import error_codes
from lisa_py.contract.command import Command, Field
from lisa_py.contract.errors import UsageError

INTRODUCTION = """\
lisa runs claude and codex in tmux, reports their true state, sends prompts and reads replies.

  lisa demo                                             see it work in half a minute, without an agent
  lisa session spawn --agent claude --prompt "..."      start an agent; prints the session's name
  lisa session monitor --session NAME                   wait until it has finished, asks, or fails
  lisa session capture --session NAME                   read its output
  lisa session send --session NAME --text "..." --enter send a prompt
  lisa session kill --session NAME                      end it and all its processes
"""


def print_page(path: Sequence[str], command: Command) -> int:
    sys.stdout.write(format_page(path, command))
    return 0


def format_page(path: Sequence[str], command: Command) -> str:
    """Return the help page of one command."""
    name = " ".join(path)
    rows = [_format_row(field) for field in command.fields if field.name not in ("json", "json_min")]
    rows.append(("--json", "answer one JSON object (errors too)"))
    if command.min is not None:
        rows.append(("--json-min", "answer only the fields for polling loops"))
    parts = [f"usage: lisa {name} [flags]", commands.summary(path)]
    if command.notes:
        parts.append(command.notes.strip())
    parts.append("flags:\n" + _format_table(rows))
    if command.example:
        parts.append("example:\n  " + command.example.strip().replace("\n", "\n  "))
    parts.append("exit codes:\n" + _format_table([(str(code), what) for code, what in sorted(command.exits.items())]))
    if command.error_codes:
        codes = error_codes.describe_codes(command)
        parts.append("error codes of this command:\n" + _format_table(list(codes.items())))
    return "\n\n".join(parts) + "\n"


def _format_row(field: Field) -> tuple[str, str]:
    names = ", ".join(field.spellings())
    left = names if field.is_switch else f"{names} {click_options.metavar(field)}"
    notes = [field.flag.help]
    default = format_default(field)
    if default:
        notes.append(f"(default {default})")
    if field.default is NODEFAULT:
        notes.append("(required)")
    return left, " ".join(notes)


def format_default(field: Field) -> str:
    if field.default in (NODEFAULT, "", None, False, ()):
        return ""
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def _format_table(rows: Sequence[tuple[str, str]]) -> str:
    width = min(34, max((len(left) for left, _ in rows), default=0))
    lines = []
    for left, right in rows:
        if len(left) > width:
            lines += [f"  {left}", f"  {'':{width}}  {right}"]
        else:
            lines.append(f"  {left:{width}}  {right}")
    return "\n".join(lines)


def format_overview() -> str:
    """Return the page of `lisa --help`."""
    parts = [INTRODUCTION]
    parts.append("commands:\n" + _format_table([(name, commands.summary((name,))) for name in _list_visible(())]))
    for group in commands.groups():
        rows = [(f"{group} {name}", commands.summary((group, name))) for name in _list_visible((group,))]
        parts.append(f"{group}: {commands.summary((group,))}\n" + _format_table(rows))
    parts.append("`lisa COMMAND --help` describes a command; every command accepts --json.")
    return "\n\n".join(parts) + "\n"


def format_group_page(group: str) -> str:
    rows = [(name, commands.summary((group, name))) for name in _list_visible((group,))]
    return f"usage: lisa {group} COMMAND [flags]\n\n{commands.summary((group,))}\n\n{_format_table(rows)}\n"


def _list_visible(group: Sequence[str]) -> list[str]:
    found = ((name, commands.load((*group, name))) for name in commands.command_names(group))
    return [name for name, command in found if command is not None and not command.hidden]


def handle_missing_command(argv: Sequence[str]) -> int:
    """Return the help page or the error for words that name no command.

    Raise UsageError(unknown_command).
    """
    words = [word for word in argv if not word.startswith("-")]
    requested = "help" in words or "--help" in argv or "-h" in argv
    topic = [word for word in words if word != "help"]
    if not topic and (requested or not argv):
        return _print_help(format_overview(), requested)
    if len(topic) == 1 and commands.is_group(topic[0]) and (requested or len(argv) == 1):
        return _print_help(format_group_page(topic[0]), requested)
    command = commands.load(topic[:2]) if len(topic) > 1 else commands.load(topic)
    if requested and command is not None:
        return print_page(topic[:2], command)
    raise _make_unknown_command_error(topic)


def _print_help(text: str, requested: bool) -> int:
    (sys.stdout if requested else sys.stderr).write(text)
    return 0 if requested else 1


def _make_unknown_command_error(topic: Sequence[str]) -> UsageError:
    if not topic:
        return UsageError("unknown_command", "no command given (lisa --help lists them)")
    if len(topic) == 1 and commands.is_group(topic[0]):
        return UsageError("unknown_command", f"which {topic[0]} command? (lisa {topic[0]} --help lists them)")
    name = " ".join(topic[:2]) if commands.is_group(topic[0]) else topic[0]
    near = _suggest_command(name)
    hint = f"did you mean `lisa {near}`? " if near else ""
    return UsageError("unknown_command", f"unknown command: {name} ({hint}lisa --help lists them all)")


def _suggest_command(name: str) -> str:
    import difflib  # noqa: PLC0415 - only for a mistyped command

    found = difflib.get_close_matches(name, [*commands.groups(), *(" ".join(path) for path in commands.paths())], n=1)
    return found[0] if found else ""
