"""MCP servers in the user's configuration of claude, by claude's own commands (2.1.197 to 2.1.332)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

from lisa_py.contract.errors import LisaError
from lisa_py.contract.mcp_tools import ToolServer
from lisa_py.host.run import ProgramResult, run_program

_LIMIT_SECONDS = 30.0
_NONE = "no mcp server named"
"""Beginning of the message for a server that is not there."""


def format_server(server: ToolServer) -> str:
    """Return the text of a file for `--mcp-config`, or `.mcp.json` of a project."""
    return json.dumps({"mcpServers": {server.name: _build_entry(server)}}, indent=2) + "\n"


def add_server(server: ToolServer, binary: str, environ: Mapping[str, str]) -> str:
    """Enter a server for all projects of the user; return the file. Raise LisaError(mcp_install_failed)."""
    remove_server(server.name, binary, environ)  # claude refuses a second one of the name
    entry = json.dumps(_build_entry(server))
    result = _run(binary, ("add-json", "--scope", "user", server.name, entry), environ)
    if result.code != 0:
        raise _make_error("add", result)
    return _config_file(environ)


def remove_server(name: str, binary: str, environ: Mapping[str, str]) -> str:
    """Remove a server; return the file, or an empty string. Raise LisaError(mcp_install_failed)."""
    result = _run(binary, ("remove", "--scope", "user", name), environ)
    if result.code == 0:
        return _config_file(environ)
    if _NONE in f"{result.text} {result.error_text}".lower():
        return ""
    raise _make_error("remove", result)


def _build_entry(server: ToolServer) -> dict[str, object]:
    return {"type": "stdio", "command": server.command, "args": list(server.args), "env": dict(server.env)}


def _run(binary: str, words: Sequence[str], environ: Mapping[str, str]) -> ProgramResult:
    return run_program((binary, "mcp", *words), timeout=_LIMIT_SECONDS, env=environ, group=True)


def _make_error(verb: str, result: ProgramResult) -> LisaError:
    why = result.error_text or result.text.strip() or f"it did not end within {_LIMIT_SECONDS:.0f} s"
    return LisaError("mcp_install_failed", f"claude could not {verb} the server: {why}")


def _config_file(environ: Mapping[str, str]) -> str:
    folder = environ.get("CLAUDE_CONFIG_DIR") or environ.get("HOME", "")
    return os.path.join(folder, ".claude.json")
