"""Settings of a session: the fields of a definition, a profile or a request, as they travel and as they lie on disk."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType


class SessionSettings(Struct, kw_only=True, omit_defaults=True):
    """Choices for a session; a field that is unset is left to the next lower layer.

    Values in `environment`, `credentials` and the headers and env of MCP servers may be references
    (`secret://N`, `hive://secret/N`, `env:N`, `file:P`); records on disk keep the references, never the values.
    """

    name: str | UnsetType = UNSET
    agent: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    max_turns: int | UnsetType = UNSET
    max_budget_usd: float | UnsetType = UNSET
    task_budget_tokens: int | UnsetType = UNSET
    ttl_seconds: int | UnsetType = UNSET
    one_shot: bool | UnsetType = UNSET
    permission_mode: str | UnsetType = UNSET
    """acceptEdits, plan or bypassPermissions; empty: lisa's default for the session."""
    allowed_tools: tuple[str, ...] | UnsetType = UNSET
    denied_tools: tuple[str, ...] | UnsetType = UNSET
    plugins: tuple[str, ...] | UnsetType = UNSET
    environment: dict[str, str] | UnsetType = UNSET
    mcp_servers: dict[str, dict[str, Any]] | UnsetType = UNSET
    system_prompt: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    credentials: dict[str, str] | UnsetType = UNSET
