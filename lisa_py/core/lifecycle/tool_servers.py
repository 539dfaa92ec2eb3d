"""The MCP server of lisa in the configuration of an agent, and in a session that gets tools for its own sessions."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError
from lisa_py.contract.mcp_tools import ToolServer
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import environment, launch
from lisa_py.host.env import Settings
from lisa_py.store.paths import SessionRef

NAME = "lisa"
EXTRA_MODULES = ("mcp", "anyio", "tomlkit")
_FOLDER_VARIABLES = ("LISA_STATE_DIR", "LISA_TMUX_SOCKET_DIR", "LISA_SHARED_DIR")
"""Passed on where the caller sets them: codex gives its servers few variables of its own (0.171)."""


def check_extra() -> None:
    """Raise LisaError(mcp_extra_missing)."""
    import importlib.util  # noqa: PLC0415 - only for --tools

    missing = [name for name in EXTRA_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        text = f"the tools need {', '.join(missing)}; install them with: pip install 'lisa-py[mcp]'"
        raise LisaError("mcp_extra_missing", text)


def build_server(settings: Settings) -> ToolServer:
    """Return the server of this lisa, for all sessions of the project in which an agent runs."""
    command, *words = _words()
    variables = {name: os.path.abspath(value) for name in _FOLDER_VARIABLES if (value := settings.get(name))}
    return ToolServer(name=NAME, command=command, args=tuple(words), env=variables)


def _words(*flags: str) -> tuple[str, ...]:
    return environment.python_words("from lisa_py.cli.main import entry; entry()", "mcp", "serve", *flags)


def add_to_agent(ctx: Context, agent: Agent) -> str:
    """Enter the server in the configuration of an agent; return the file. Raise LisaError.

    Codes: agent_not_installed, mcp_extra_missing, mcp_install_failed.
    """
    check_extra()
    return agent.add_tool_server(build_server(ctx.settings), _require_binary(ctx, agent), ctx.settings.environ)


def format_entry(ctx: Context, agent: Agent) -> str:
    """Return the text of the configuration of an agent. Raise LisaError(mcp_extra_missing | mcp_install_failed)."""
    check_extra()
    entry = agent.format_tool_server(build_server(ctx.settings))
    if not entry:
        raise LisaError("mcp_install_failed", f"{agent.name} has no configuration of MCP servers")
    return entry


def remove_from_agent(ctx: Context, agent: Agent) -> str:
    """Remove the server; return the file, or an empty string if it was not there. Raise LisaError as `add_to_agent`."""
    check_extra()
    return agent.remove_tool_server(NAME, _require_binary(ctx, agent), ctx.settings.environ)


def _require_binary(ctx: Context, agent: Agent) -> str:
    binary = launch.find_binary(agent, ctx.settings.environ)
    if not binary:
        text = f"{agent.title or agent.name} is not on PATH; install it (lisa doctor checks)"
        raise LisaError("agent_not_installed", text, agent=agent.name)
    return binary


def build_session_server(ctx: Context, agent: Agent, ref: SessionRef) -> dict[str, Any]:
    """Return the server for the own sessions of one session, as its settings name servers."""
    variables = (
        f"LISA_STATE_DIR={ctx.settings.state_dir}",
        f"LISA_TMUX_SOCKET_DIR={ctx.settings.tmux_socket_dir}",
        f"LISA_SHARED_DIR={ctx.settings.shared_dir}",
    )
    words = _words("--within", ref.session, "--project-root", ref.project.root)
    return {
        "type": "stdio",
        "command": "/usr/bin/env",  # values of `env` would count as secrets, masked in all output
        "args": [*variables, *words],
        **agent.tool_server_options(),
    }


def add_to_settings(settings: SessionSettings, server: dict[str, Any]) -> SessionSettings:
    return msgspec.structs.replace(settings, mcp_servers={**(settings.mcp_servers or {}), NAME: server})
