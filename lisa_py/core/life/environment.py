"""The environment of a session: the caller's own, without what belongs to the caller's place, told where it is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lisa_py import agents
from lisa_py.agents.base import Agent, quote_posix
from lisa_py.core.context import Context
from lisa_py.host import files
from lisa_py.host.env import ROUTING
from lisa_py.store.places import Place

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_OF_TMUX = ("TMUX", "TMUX_PANE")
_OF_THE_TERMINAL = (
    *("TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TERM_SESSION_ID", "COLUMNS", "LINES", "WINDOWID", "STY"),
    *("VTE_VERSION", "KITTY_PID", "KITTY_WINDOW_ID", "ITERM_PROFILE", "ITERM_SESSION_ID", "WEZTERM_PANE", "WT_SESSION"),
)
"""The pane is another terminal than the caller's."""
_OF_THE_SHELL = (
    *("PWD", "OLDPWD", "SHLVL", "_", "IFS", "OPTIND", "OPTARG", "PPID", "UID", "EUID"),
    *("BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"),
)
"""Shells make these themselves; some shells end when they are told one of them."""
_SERVERS_OWN = ("TERM", "LC_CTYPE")
"""What the pane keeps from the tmux server when the caller has none."""


def inherited(ctx: Context) -> dict[str, str]:
    """The caller's variables as a session gets them; names no shell can export are left out."""
    known = [agents.get(name) for name in agents.names()]
    marks = {variable for agent in known for variable in agent.session_variables}
    carriers = {_carrier(agent) for agent in known}
    left = {*ROUTING, *_OF_TMUX, *_OF_THE_TERMINAL, *_OF_THE_SHELL, *marks, *carriers}
    taken = {
        name: value
        for name, value in ctx.settings.environ.items()
        if name not in left and _NAME.match(name) is not None
    }
    for name, folder in (
        ("LISA_STATE_DIR", ctx.settings.state_dir),
        ("LISA_TMUX_SOCKET_DIR", ctx.settings.tmux_socket_dir),
        ("LISA_SHARED_DIR", ctx.settings.shared_dir),
    ):
        if taken.get(name):
            taken[name] = folder  # absolute: the session may call lisa from anywhere
    return taken


def carried_secret(ctx: Context, agent: Agent) -> dict[str, str]:
    """A token the caller hands on for this agent alone, under lisa's own name for it."""
    value = ctx.settings.get(_carrier(agent)) if agent.oauth_variable else ""
    return {agent.oauth_variable: value} if value else {}


def _carrier(agent: Agent) -> str:
    return f"LISA_{agent.oauth_variable}" if agent.oauth_variable else ""


def routing(place: Place, *, agent: str, mode: str, run_id: str, socket: str) -> dict[str, str]:
    """What a session is told about itself, so that lisa works inside it and hooks find their folder."""
    return {
        "LISA_SESSION": "true",
        "LISA_SESSION_NAME": place.session,
        "LISA_AGENT": agent,
        "LISA_MODE": mode,
        "LISA_PROJECT_ROOT": place.project.root,
        "LISA_TMUX_SOCKET": socket,
        "LISA_PROJECT_HASH": place.project.hash,
        "LISA_HEARTBEAT_FILE": place.heartbeat,
        "LISA_DONE_FILE": place.done,
        "LISA_RUN_ID": run_id,
        "LISA_SESSION_DIR": place.folder,
    }


def script(variables: Mapping[str, str], server: Mapping[str, str]) -> str:
    """Shell text that turns the tmux server's environment into the session's."""
    gone = [*_OF_TMUX, *(name for name in server if name not in variables and name not in _SERVERS_OWN)]
    lines = [f"umask {files.umask():04o}", *(f"unset {name}" for name in gone)]
    lines += [f"export {name}={quote_posix(value)}" for name, value in variables.items()]
    return "\n".join(lines) + "\n"
