"""Help pages: purpose of a command, its flags, an example, its exit codes."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence

from msgspec import NODEFAULT

from lisa_py import commands
from lisa_py.cli import click_options, render
from lisa_py.contract import error_codes
from lisa_py.contract.command import GROUPS, Command, Field
from lisa_py.contract.errors import UsageError, find_similar

INTRODUCTION = """\
lisa runs claude and codex in tmux, reports their true state, sends prompts and reads replies.
First steps: lisa demo, then lisa session spawn --agent claude --prompt "..."
"""
WIDE = 10_000
"""Columns of a page that is not for a terminal: nothing is wrapped."""


def print_page(path: Sequence[str], command: Command) -> int:
    sys.stdout.write(format_page(path, command, _read_columns()))
    return 0


def _read_columns() -> int:
    screen = render.read_screen()
    return screen.columns if screen else WIDE


def format_page(path: Sequence[str], command: Command, columns: int = WIDE) -> str:
    """Return the help page of one command."""
    name = " ".join(path)
    rows = [_format_row(field) for field in command.fields if field.name not in ("json", "json_min")]
    rows.append(("--json", "answer one JSON object (errors too)"))
    if command.min is not None:
        rows.append(("--json-min", "answer only the fields for polling loops"))
    parts = [f"usage: lisa {name} [flags]", _wrap_paragraphs(commands.summary(path), columns)]
    if command.notes:
        parts.append(_wrap_paragraphs(command.notes.strip(), columns))
    parts.append("flags:\n" + _format_table(rows, columns))
    if command.example:
        parts.append("example:\n  " + command.example.strip().replace("\n", "\n  "))
    exits = [(str(code), what) for code, what in sorted(command.exits.items())]
    parts.append("exit codes:\n" + _format_table(exits, columns))
    if command.error_codes:
        codes = error_codes.describe_codes(command)
        parts.append("error codes of this command:\n" + _format_table(list(codes.items()), columns))
    return "\n\n".join(parts) + "\n"


def _format_row(field: Field) -> tuple[str, str]:
    names = ", ".join(field.spellings())
    left = names if field.is_switch else f"{names} {click_options.metavar(field)}"
    notes = [field.flag.help]
    default = format_default(field)
    if default:
        notes.append(f"(default {default})")
    if field.default is NODEFAULT:
        notes.append("(required; the flag name is optional)" if field.flag.positional else "(required)")
    return left, " ".join(notes)


def format_default(field: Field) -> str:
    if field.default in (NODEFAULT, "", None, False, ()):
        return ""
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def _wrap_paragraphs(text: str, columns: int) -> str:
    """Wrap each paragraph at the edge of the terminal, never inside a word."""
    if columns >= WIDE:
        return text
    return "\n\n".join(_wrap(" ".join(part.split()), columns) for part in text.split("\n\n"))


def _wrap(text: str, columns: int, indent: str = "") -> str:
    return textwrap.fill(
        text, max(40, columns - 1), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _format_table(rows: Sequence[tuple[str, str]], columns: int = WIDE) -> str:
    width = min(34 if columns >= 100 else 26, max((len(left) for left, _ in rows), default=0))
    indent = " " * (width + 4)
    lines = []
    for left, right in rows:
        if len(left) > width:
            lines.append(_wrap(f"  {left}", columns, "    "))
            left = ""
        lines.append(f"  {left:{width}}  " + _wrap(f"{indent}{right}", columns, indent)[len(indent) :])
    return "\n".join(lines)


def format_overview(columns: int = WIDE, group: Sequence[str] = ()) -> str:
    """Return the page of `lisa --help`, or of a group of commands: daily ones in full, the names of the others."""
    parts = [_introduce_group(group) if group else _introduce(columns)]
    others = []
    for purpose, title in GROUPS.items():
        found = _list_purpose(purpose, group)
        if found and (purpose == "daily" or (group and tuple(group) != ("session",))):
            parts.append(f"{title}:\n" + _format_table([(name, summary) for name, summary in found], columns) + "\n")
        elif found:
            names = _list_names([name for name, _ in found], bool(group))
            others.append((title, names))
    if others:
        parts.append(_format_table(others, min(columns, 100)) + "\n")
    prefix = " ".join(("lisa", *(group or ("session",))))
    closing = f"`{prefix} COMMAND --help` describes a command, `lisa GROUP --help` a group, `lisa help all` lists all."
    parts.append(_wrap(closing, columns) + "\n")
    return "\n".join(parts)


def _introduce_group(group: Sequence[str]) -> str:
    return f"usage: lisa {' '.join(group)} COMMAND [flags]\n\n{commands.summary(group)}\n"


def _introduce(columns: int) -> str:
    return "\n".join(_wrap(line, columns) for line in INTRODUCTION.splitlines()) + "\n"


def _list_names(paths: Sequence[str], is_within_group: bool) -> str:
    """Return the names without `session`; behind them commands of no group, and other groups by their name alone."""
    if is_within_group:
        return ", ".join(paths)
    own = [name.partition(" ")[2] for name in paths if name.startswith("session ")]
    others = sorted({name.partition(" ")[0] for name in paths if not name.startswith("session ")})
    parts = [", ".join(own)] if own else []
    return "; ".join([*parts, *([f"lisa {', '.join(others)}"] if others else [])])


def format_full_list(columns: int = WIDE) -> str:
    """Return all commands with their summaries, by purpose."""
    parts = [f"{title}:\n{_format_table(_list_purpose(purpose, ()), columns)}" for purpose, title in GROUPS.items()]
    return "\n\n".join(parts) + "\n"


def _list_purpose(purpose: str, group: Sequence[str]) -> list[tuple[str, str]]:
    """Return name and summary of the visible commands of a purpose, the most used ones of every day first."""
    found = []
    for path in commands.paths(group):
        command = commands.load(path)
        if command is None or command.hidden or command.group != purpose:
            continue
        found.append((" ".join(path[len(group) :]), commands.summary(path)))
    return sorted(found, key=lambda each: _rank_daily(each[0].split()[-1]) if purpose == "daily" else 0)


def _rank_daily(name: str) -> int:
    return _DAILY_ORDER.index(name) if name in _DAILY_ORDER else len(_DAILY_ORDER)


_DAILY_ORDER = (
    "spawn",
    "list",
    "status",
    "monitor",
    "attach",
    "chat",
    "send",
    "ask",
    "turn",
    "capture",
    "kill",
    "demo",
    "doctor",
)


def handle_missing_command(argv: Sequence[str]) -> int:
    """Return the help page or the error for words that name no command.

    Raise UsageError(unknown_command).
    """
    words = [word for word in argv if not word.startswith("-")]
    requested = "help" in words or "--help" in argv or "-h" in argv
    topic = [word for word in words if word != "help"]
    if not topic and (requested or not argv):
        return _print_help(format_overview(_read_columns()), requested)
    if topic == ["all"] and requested:
        return _print_help(format_full_list(_read_columns()), requested)
    group = commands.find_group(topic)
    if group == tuple(topic) and (requested or len(topic) == len(argv)):
        return _print_help(format_overview(_read_columns(), group), requested)
    path = topic[: len(group) + 1]
    command = commands.load(path)
    if requested and command is not None:
        return print_page(path, command)
    raise _make_unknown_command_error(topic)


def _print_help(text: str, requested: bool) -> int:
    """Write a page: to stderr, as a failure, if a script called lisa without a command."""
    is_welcome = requested or render.read_screen() is not None
    (sys.stdout if is_welcome else sys.stderr).write(text)
    return 0 if is_welcome else 1


def _make_unknown_command_error(topic: Sequence[str]) -> UsageError:
    if not topic:
        return UsageError("unknown_command", "no command given (lisa --help lists them)")
    group = commands.find_group(topic)
    if group == tuple(topic):
        name = " ".join(group)
        return UsageError("unknown_command", f"which {name} command? (lisa {name} --help lists them)")
    name = " ".join(topic[: len(group) + 1])
    hint = _suggest_command(topic)
    return UsageError(
        "unknown_command", f"unknown command: {name} ({f'{hint} ' if hint else ''}lisa --help lists them all)"
    )


def _suggest_command(topic: Sequence[str]) -> str:
    """Return a hint from the synonyms, else the session command of that name, else the most similar name."""
    group = commands.find_group(topic)
    word = topic[len(group)]
    if group in ((), ("session",)):
        synonym = commands.SYNONYMS.get(word, ("session", word))
        if commands.load(synonym) is not None:
            return f"did you mean `lisa {' '.join(synonym)}`?"
    names = {" ".join(path): " ".join(path) for path in commands.paths()} | {name: name for name in commands.groups()}
    names |= {name: f"session {name}" for name in commands.command_names(("session",)) if name not in names}
    found = find_similar(" ".join(topic[: len(group) + 1]), names)
    return f"did you mean `lisa {names[found]}`?" if found else ""
