"""Read the settings of a session from the flags of a command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from lisa_py.contract.errors import UsageError
from lisa_py.contract.session_settings import SETTINGS_ERRORS, SessionSettings, check
from lisa_py.contract.start_session import AgentSettingsArgs, SettingsArgs
from lisa_py.core import secrets
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import limit_files
from lisa_py.core.send import input_text
from lisa_py.store.limit_records import LIMIT_FIELDS

ERRORS = (*SETTINGS_ERRORS, *secrets.ERRORS, "invalid_mcp_config", *limit_files.ERRORS)
"""Error codes of read_settings_flags and of a spawn with settings, besides those of checked flags."""


def read_settings_flags(ctx: Context, flags: SettingsArgs) -> SessionSettings:
    """Return the settings that the caller gave; an empty list of tools counts as given.

    Raise UsageError(invalid_mcp_config, or a code of session_settings.check).
    """
    found: dict[str, Any] = {
        field: split_tools(getattr(flags, field))
        for field in ("allowed_tools", "denied_tools")
        if getattr(flags, field) or field in ctx.given_fields
    }
    limits = {field: getattr(flags, field) for field in LIMIT_FIELDS}
    found |= {field: value for field, value in limits.items() if value or field in ctx.given_fields}
    found |= {field: value for field in ("model", "provider", "permission_mode") if (value := getattr(flags, field))}
    if flags.plugin:
        found["plugins"] = flags.plugin
    if flags.env:
        found["environment"] = split_variables(flags.env)
    if isinstance(flags, AgentSettingsArgs):
        if flags.system_prompt:
            found["system_prompt"] = flags.system_prompt
        if flags.mcp_config:
            found["mcp_servers"] = read_mcp_servers(ctx, flags.mcp_config)
    settings = SessionSettings(**found)
    check(settings)
    return settings


def split_tools(csv: str) -> tuple[str, ...]:
    """Return the patterns of a comma list; a comma inside parentheses belongs to its pattern."""
    found, depth, start = [], 0, 0
    for at, char in enumerate(csv):
        depth = max(0, depth + {"(": 1, ")": -1}.get(char, 0))
        if char == "," and not depth:
            found.append(csv[start:at])
            start = at + 1
    return tuple(word for part in (*found, csv[start:]) if (word := part.strip()))


def split_variables(words: Iterable[str]) -> dict[str, str]:
    """Return the variables of NAME=VALUE words. Raise UsageError(invalid_env)."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            shown = word if not equals else f"{name}=..."
            raise UsageError("invalid_env", f"invalid --env: {shown} (expected NAME=VALUE)")
        found[name.strip()] = value
    return found


def read_mcp_servers(ctx: Context, path: str) -> dict[str, dict[str, Any]]:
    """Return the servers of a file: a map of servers, or such a map as `mcpServers`.

    Raise LisaError(invalid_mcp_config).
    """
    try:
        found = msgspec.json.decode(input_text.read_text_file(ctx, path, "mcp-config"))
    except msgspec.DecodeError as problem:
        raise _refuse(f"{path} is not JSON ({problem})") from None
    servers = found.get("mcpServers", found.get("mcp_servers", found)) if isinstance(found, dict) else None
    if not isinstance(servers, dict) or not all(isinstance(server, dict) for server in servers.values()):
        raise _refuse(f"{path} is not a JSON object of servers")
    return servers


def _refuse(reason: str) -> UsageError:
    return UsageError("invalid_mcp_config", f"invalid --mcp-config: {reason}")
