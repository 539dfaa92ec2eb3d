"""Suggested next action of a session as a name, a command line, and a command tree."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.agents.base import quote
from lisa_py.contract.answer import Answer
from lisa_py.host import files
from lisa_py.host.env import Settings

_COMMAND_BY_STATE = {
    "waiting_input": "session send",
    "in_progress": "session monitor",
    "degraded": "session monitor",
    "completed": "session capture",
    "crashed": "session explain",
    "stuck": "session explain",
    "not_found": "session spawn",
}
CONTINUE_PROMPT = "Continue from objective and latest state."
FALLBACK_AGENT = agents.DEFAULT_NESTED
"""Model in the contract's suggestion if nothing is known of a lost session."""


class CommandArgument(Struct, frozen=True, kw_only=True):
    """One flag of the command."""

    name: str
    flag: str
    type: str
    value: str | bool | int


class CommandAst(Struct, frozen=True, kw_only=True):
    """The command as data: the same words as `command`."""

    schema: str = "lisa.command.ast.v1"
    binary: str
    subcommands: tuple[str, ...]
    args: tuple[CommandArgument, ...]
    argv: tuple[str, ...]


class ActionTarget(Struct, frozen=True, kw_only=True):
    """Subject of the suggestion."""

    session: str
    project_root: str
    agent: str = ""
    """Agent and mode of the session: a lost session is started again with them."""
    mode: str = ""
    model: str = ""
    binary: str = "lisa"


class RecommendedAction(Answer):
    """A suggestion in all its forms."""

    name: str
    command: str
    command_ast: CommandAst
    id: str | UnsetType = UNSET


def name_for_state(session_state: str) -> str:
    """Return the next command for a state: `session send`, `session monitor` ..."""
    return _COMMAND_BY_STATE.get(session_state, "session status")


def detect_binary(settings: Settings, cwd: str) -> str:
    """Return the name of the program: `./lisa` if that file exists, else `lisa`."""
    return "./lisa" if files.exists(f"{cwd}/lisa") and not files.is_dir(f"{cwd}/lisa") else "lisa"


def build_action(action_name: str, target: ActionTarget) -> RecommendedAction:
    return RecommendedAction(
        name=action_name, command=format_command(action_name, target), command_ast=build_ast(action_name, target)
    )


def format_command(action_name: str, target: ActionTarget) -> str:
    """Return the suggested command line, quoted for a shell."""
    tree = build_ast(action_name, target)
    words = [tree.binary, *tree.subcommands]
    for item in tree.args:
        if item.type == "bool":
            words.append(item.flag)
        else:
            plain = item.type == "int" or item.name in _UNQUOTED_ARGUMENTS
            words += [item.flag, str(item.value) if plain else quote(str(item.value))]
    return " ".join(words)


def format_kill_command(session: str, project_root: str, binary: str = "lisa") -> str:
    """Return the command that removes the remains of a session."""
    return f"{binary} session kill --session {quote(session)} --project-root {quote(project_root)} --json"


def build_ast(action_name: str, target: ActionTarget) -> CommandAst:
    args = _ARGUMENT_BUILDERS.get(action_name, _minimal_arguments)(target)
    known = action_name if action_name in _ARGUMENT_BUILDERS else "session status"
    subcommands = tuple(known.split())
    argv = [target.binary, *subcommands]
    for item in args:
        if item.type != "bool":
            argv += [item.flag, str(item.value)]
        elif item.value:
            argv.append(item.flag)
    return CommandAst(binary=target.binary, subcommands=subcommands, args=tuple(args), argv=tuple(argv))


_UNQUOTED_ARGUMENTS = ("agent", "mode", "summaryStyle")


def _text_argument(name: str, flag: str, value: str) -> CommandArgument:
    return CommandArgument(name=name, flag=flag, type="string", value=value)


def _switch_argument(name: str, flag: str) -> CommandArgument:
    return CommandArgument(name=name, flag=flag, type="bool", value=True)


def _location_arguments(target: ActionTarget) -> list[CommandArgument]:
    return [
        _text_argument("session", "--session", target.session),
        _text_argument("projectRoot", "--project-root", target.project_root),
    ]


def _send_arguments(target: ActionTarget) -> list[CommandArgument]:
    return [
        *_location_arguments(target),
        _text_argument("text", "--text", CONTINUE_PROMPT),
        _switch_argument("enter", "--enter"),
        _switch_argument("jsonMin", "--json-min"),
    ]


def _capture_arguments(target: ActionTarget) -> list[CommandArgument]:
    return [
        *_location_arguments(target),
        _switch_argument("raw", "--raw"),
        _switch_argument("summary", "--summary"),
        _text_argument("summaryStyle", "--summary-style", "ops"),
        _switch_argument("json", "--json"),
    ]


def _explain_arguments(target: ActionTarget) -> list[CommandArgument]:
    events = CommandArgument(name="events", flag="--events", type="int", value=40)
    return [*_location_arguments(target), events, _switch_argument("jsonMin", "--json-min")]


def _spawn_arguments(target: ActionTarget) -> list[CommandArgument]:
    args = [
        _text_argument("agent", "--agent", target.agent or FALLBACK_AGENT),
        _text_argument("mode", "--mode", target.mode or "interactive"),
    ]
    if target.model:
        args.append(_text_argument("model", "--model", target.model))
    return [
        *args,
        _text_argument("projectRoot", "--project-root", target.project_root),
        _switch_argument("json", "--json"),
    ]


def _minimal_arguments(target: ActionTarget) -> list[CommandArgument]:
    return [*_location_arguments(target), _switch_argument("jsonMin", "--json-min")]


_ARGUMENT_BUILDERS: dict[str, Callable[[ActionTarget], list[CommandArgument]]] = {
    "session send": _send_arguments,
    "session monitor": _minimal_arguments,
    "session capture": _capture_arguments,
    "session explain": _explain_arguments,
    "session spawn": _spawn_arguments,
    "session status": _minimal_arguments,
}


_PRIORITY_BY_STATE = {
    "crashed": (100, "critical"),
    "stuck": (96, "critical"),
    "degraded": (92, "high"),
    "waiting_input": (86, "needs_input"),
    "in_progress": (70, "active"),
    "completed": (20, "complete"),
    "not_found": (5, "missing"),
}
AMBIGUOUS_ROOT_PRIORITY = (98, "high")
"""For a name used in several projects."""


def session_priority(session_state: str) -> tuple[int, str]:
    """Return (score, label); 100 is the most urgent."""
    return _PRIORITY_BY_STATE.get(session_state, (40, "unknown"))
