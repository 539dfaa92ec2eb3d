"""What to do next with a session, as a name, as a command line, and as a command's syntax tree."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.agents.base import quote
from lisa_py.host import files
from lisa_py.host.env import Settings

_BY_STATE = {
    "waiting_input": "session send",
    "in_progress": "session monitor",
    "degraded": "session monitor",
    "completed": "session capture",
    "crashed": "session explain",
    "stuck": "session explain",
    "not_found": "session spawn",
}
GO_ON = "Continue from objective and latest state."
UNKNOWN_AGENT = agents.DEFAULT_NESTED
"""What the contract's recommendation names when nothing is known of the session that was lost."""


class Argument(Struct, frozen=True, kw_only=True):
    """One flag of the command."""

    name: str
    flag: str
    type: str
    value: str | bool | int


class Ast(Struct, frozen=True, kw_only=True):
    """The command as data: the same words that `command` writes as text."""

    schema: str = "lisa.command.ast.v1"
    binary: str
    subcommands: tuple[str, ...]
    args: tuple[Argument, ...]
    argv: tuple[str, ...]


class Subject(Struct, frozen=True, kw_only=True):
    """What the recommendation is about."""

    session: str
    project_root: str
    agent: str = ""
    """The session's own agent and mode: a lost session is started again as what it was."""
    mode: str = ""
    model: str = ""
    binary: str = "lisa"


class Action(Struct, frozen=True, kw_only=True, rename="camel"):
    """A recommendation in all its forms."""

    name: str
    command: str
    command_ast: Ast
    id: str | UnsetType = UNSET


def name(session_state: str) -> str:
    """`session send`, `session monitor` ...: which command comes next in a state."""
    return _BY_STATE.get(session_state, "session status")


def binary(settings: Settings, cwd: str) -> str:
    """How the program is called here: `./lisa` where that file is, else `lisa`."""
    return "./lisa" if files.exists(f"{cwd}/lisa") and not files.is_dir(f"{cwd}/lisa") else "lisa"


def action(action_name: str, subject: Subject) -> Action:
    return Action(name=action_name, command=command(action_name, subject), command_ast=ast(action_name, subject))


def command(action_name: str, subject: Subject) -> str:
    """The recommended command line, ready for a shell."""
    tree = ast(action_name, subject)
    words = [tree.binary, *tree.subcommands]
    for item in tree.args:
        if item.type == "bool":
            words.append(item.flag)
        else:
            plain = item.type == "int" or item.name in _UNQUOTED
            words += [item.flag, str(item.value) if plain else quote(str(item.value))]
    return " ".join(words)


def kill_command(session: str, project_root: str, binary: str = "lisa") -> str:
    """The command that removes what is left of a session."""
    return f"{binary} session kill --session {quote(session)} --project-root {quote(project_root)} --json"


def ast(action_name: str, subject: Subject) -> Ast:
    args = _ARGUMENTS.get(action_name, _status)(subject)
    known = action_name if action_name in _ARGUMENTS else "session status"
    subcommands = tuple(known.split())
    argv = [subject.binary, *subcommands]
    for item in args:
        if item.type != "bool":
            argv += [item.flag, str(item.value)]
        elif item.value:
            argv.append(item.flag)
    return Ast(binary=subject.binary, subcommands=subcommands, args=tuple(args), argv=tuple(argv))


_UNQUOTED = ("agent", "mode", "summaryStyle")


def _text(argument: str, flag: str, value: str) -> Argument:
    return Argument(name=argument, flag=flag, type="string", value=value)


def _switch(argument: str, flag: str) -> Argument:
    return Argument(name=argument, flag=flag, type="bool", value=True)


def _where(subject: Subject) -> list[Argument]:
    return [
        _text("session", "--session", subject.session),
        _text("projectRoot", "--project-root", subject.project_root),
    ]


def _send(subject: Subject) -> list[Argument]:
    return [
        *_where(subject),
        _text("text", "--text", GO_ON),
        _switch("enter", "--enter"),
        _switch("jsonMin", "--json-min"),
    ]


def _capture(subject: Subject) -> list[Argument]:
    return [
        *_where(subject),
        _switch("raw", "--raw"),
        _switch("summary", "--summary"),
        _text("summaryStyle", "--summary-style", "ops"),
        _switch("json", "--json"),
    ]


def _explain(subject: Subject) -> list[Argument]:
    events = Argument(name="events", flag="--events", type="int", value=40)
    return [*_where(subject), events, _switch("jsonMin", "--json-min")]


def _spawn(subject: Subject) -> list[Argument]:
    args = [
        _text("agent", "--agent", subject.agent or UNKNOWN_AGENT),
        _text("mode", "--mode", subject.mode or "interactive"),
    ]
    if subject.model:
        args.append(_text("model", "--model", subject.model))
    return [*args, _text("projectRoot", "--project-root", subject.project_root), _switch("json", "--json")]


def _minimal(subject: Subject) -> list[Argument]:
    return [*_where(subject), _switch("jsonMin", "--json-min")]


_status = _minimal
_ARGUMENTS: dict[str, Callable[[Subject], list[Argument]]] = {
    "session send": _send,
    "session monitor": _minimal,
    "session capture": _capture,
    "session explain": _explain,
    "session spawn": _spawn,
    "session status": _minimal,
}
