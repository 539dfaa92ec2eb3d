"""Help pages: what a command is for, its flags, an example, its exit codes; on stdout when asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from msgspec import NODEFAULT

from lisa_py.cli import tree
from lisa_py.contract.command import Command, Field
from lisa_py.contract.errors import UsageError

INTRODUCTION = """\
lisa starts claude and codex in tmux, knows what each is really doing, tells them things and reads what they say.

  lisa demo                                             see it work in half a minute, without any agent installed
  lisa session spawn --agent claude --prompt "..."      start an agent; prints the session's name
  lisa session monitor --session NAME                   wait until it has finished, asks, or fails
  lisa session capture --session NAME                   read what it said
  lisa session send --session NAME --text "..." --enter tell it something
  lisa session kill --session NAME                      end it and all its processes
"""


def show(path: Sequence[str], command: Command) -> int:
    sys.stdout.write(page(path, command))
    return 0


def page(path: Sequence[str], command: Command) -> str:
    """The help page of one command."""
    name = " ".join(path)
    rows = [_row(field) for field in command.fields if field.name not in ("json", "json_min")]
    rows.append(("--json", "answer one JSON object (errors too)"))
    if command.min is not None:
        rows.append(("--json-min", "answer only the fields a polling loop needs"))
    parts = [f"usage: lisa {name} [flags]", tree.summary(path)]
    if command.notes:
        parts.append(command.notes.strip())
    parts.append("flags:\n" + _table(rows))
    if command.example:
        parts.append("example:\n  " + command.example.strip().replace("\n", "\n  "))
    parts.append("exit codes:\n" + _table([(str(code), what) for code, what in sorted(command.exits.items())]))
    if command.errors:
        parts.append("error codes of its own:\n" + _table(sorted(command.errors.items())))
    return "\n\n".join(parts) + "\n"


def _row(field: Field) -> tuple[str, str]:
    names = ", ".join(field.spellings())
    left = names if field.is_switch else f"{names} {field.metavar}"
    notes = [field.flag.help]
    default = tree.default_text(field)
    if default:
        notes.append(f"(default {default})")
    if field.default is NODEFAULT:
        notes.append("(required)")
    return left, " ".join(notes)


def _table(rows: Sequence[tuple[str, str]]) -> str:
    width = min(34, max((len(left) for left, _ in rows), default=0))
    lines = []
    for left, right in rows:
        if len(left) > width:
            lines += [f"  {left}", f"  {'':{width}}  {right}"]
        else:
            lines.append(f"  {left:{width}}  {right}")
    return "\n".join(lines)


def overview() -> str:
    """The page of `lisa --help`."""
    parts = [INTRODUCTION]
    parts.append("commands:\n" + _table([(name, tree.summary((name,))) for name in tree.leaves()]))
    for group in tree.groups():
        rows = [(f"{group} {name}", tree.summary((group, name))) for name in tree.leaves((group,))]
        parts.append(f"{group}:\n" + _table(rows))
    parts.append("lisa COMMAND --help tells all about one; every command takes --json.")
    return "\n\n".join(parts) + "\n"


def group_page(group: str) -> str:
    rows = [(name, tree.summary((group, name))) for name in tree.leaves((group,))]
    return f"usage: lisa {group} COMMAND [flags]\n\n{_table(rows)}\n"


def without_command(argv: Sequence[str], form: str) -> int:
    """What to say when the words name no command: a help page, or which word is wrong."""
    words = [word for word in argv if not word.startswith("-")]
    asks = not argv or any(word in ("--help", "-h") for word in argv) or words[:1] == ["help"]
    topic = words[1:] if words[:1] == ["help"] else [word for word in words if word != "help"]
    if not asks and len(words) == 2 and words[1] == "help":
        asks = True
    if not topic:
        (sys.stdout if argv else sys.stderr).write(overview())
        return 0 if argv else 1
    command = tree.load(topic[:2]) if len(topic) > 1 else tree.load(topic)
    if command is not None and asks:
        return show(topic[:2], command)
    if len(topic) == 1 and topic[0] in tree.groups():
        (sys.stdout if asks else sys.stderr).write(group_page(topic[0]))
        return 0 if asks else 1
    name = " ".join(topic[:2]) if topic[0] in tree.groups() else topic[0]
    near = _near(name)
    hint = f"did you mean `lisa {near}`? " if near else ""
    raise UsageError("unknown_command", f"unknown command: {name} ({hint}lisa --help lists them all)")


def _near(name: str) -> str:
    import difflib  # noqa: PLC0415 - only for a mistyped command

    found = difflib.get_close_matches(name, [" ".join(path) for path in tree.paths()], n=1)
    return found[0] if found else ""
