"""MCP servers in the configuration file of codex (0.171)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lisa_py.agents._codex.options import SERVER_OPTIONS
from lisa_py.agents._codex.session import config_folder
from lisa_py.contract.errors import LisaError
from lisa_py.contract.mcp_tools import ToolServer
from lisa_py.host import files

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


def format_server(server: ToolServer) -> str:
    """Return the lines of config.toml."""
    import tomlkit  # noqa: PLC0415 - only to edit the file

    document = tomlkit.document()
    _set(document, server)
    return tomlkit.dumps(document)


def add_server(server: ToolServer, environ: Mapping[str, str]) -> str:
    """Enter a server; comments and order of the file stay. Return it. Raise LisaError(mcp_install_failed)."""
    path = _config_file(environ)
    document = _read(path)
    _set(document, server)
    _write(path, document)
    return path


def remove_server(name: str, environ: Mapping[str, str]) -> str:
    """Remove a server; return the file, or an empty string. Raise LisaError(mcp_install_failed)."""
    path = _config_file(environ)
    document = _read(path)
    servers = document.get("mcp_servers")
    if not isinstance(servers, dict) or name not in servers:
        return ""
    del servers[name]
    if not servers:
        del document["mcp_servers"]
    _write(path, document)
    return path


def _config_file(environ: Mapping[str, str]) -> str:
    return files.canonical_path(os.path.join(config_folder(environ), "config.toml"))  # often a link to a repository


def _set(document: TOMLDocument, server: ToolServer) -> None:
    import tomlkit  # noqa: PLC0415

    entry = tomlkit.table()
    entry.update({"command": server.command, "args": list(server.args)})
    if server.env:
        entry["env"] = dict(server.env)
    entry.update(SERVER_OPTIONS)
    if "mcp_servers" not in document:
        document["mcp_servers"] = tomlkit.table(is_super_table=True)
    servers: Any = document["mcp_servers"]
    if not isinstance(servers, dict):
        raise LisaError("mcp_install_failed", "mcp_servers in config.toml is not a table; nothing was changed")
    servers[server.name] = entry


def _read(path: str) -> TOMLDocument:
    import tomlkit  # noqa: PLC0415
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    try:
        found = files.read(path)
        return tomlkit.parse((found or b"").decode())
    except (OSError, UnicodeDecodeError, TOMLKitError) as problem:
        raise LisaError("mcp_install_failed", f"{path} cannot be read: {problem}; nothing was changed") from None


def _write(path: str, document: TOMLDocument) -> None:
    import tomlkit  # noqa: PLC0415

    try:
        files.make_dirs(os.path.dirname(path))
        files.write(path, tomlkit.dumps(document).rstrip("\n") + "\n", mode=files.permissions(path))
    except (OSError, LisaError) as problem:
        raise LisaError("mcp_install_failed", f"{path} cannot be written: {problem}") from None
