"""Fields of requests, as keywords of the client's methods.

A caller may give others: the server ignores unknown ones and lists them in `warnings`.
"""

from __future__ import annotations

from typing import Any, TypedDict


class SettingsFields(TypedDict, total=False):
    """Settings of a session or a profile; all are optional."""

    provider: str
    model: str
    max_turns: int
    max_budget_usd: float
    task_budget_tokens: int
    ttl_seconds: int
    one_shot: bool
    permission_mode: str
    """acceptEdits, plan or bypassPermissions."""
    allowed_tools: list[str]
    denied_tools: list[str]
    plugins: list[str]


class ProfileFields(SettingsFields, total=False):
    """A profile to create, or the fields of one to change."""

    name: str
    description: str
    agent: str
    environment: dict[str, str]
    mcp_servers: dict[str, dict[str, Any]]
    is_default: bool


class ChatFields(SettingsFields, total=False):
    """A session of a user."""

    name: str
    prompt: str
    idempotent_key: str
    """While a session of this key is active, it is returned and nothing is created."""
    profile_id: str
    agent: str
    workdir: str
    """Folder of the project; by default that of the token."""
    definition: str


class StartSettings(SettingsFields, total=False):
    """Settings of a session of a project."""

    name: str
    agent: str
    environment: dict[str, str]
    mcp_servers: dict[str, dict[str, Any]]
    system_prompt: str
    credentials: dict[str, str]
    on_limit: str
    """Effect of a usage limit: wait or stop."""


class StartFields(TypedDict, total=False):
    """A session of a project, which works on one prompt."""

    prompt: str
    definition: str
    """Name of a definition; `profile` replaces its settings."""
    data: dict[str, Any]
    """Data of an event: fills templates and is appended to the prompt."""
    name: str
    agent: str
    idempotent_key: str
    """While a session of this key is active, it is returned and nothing is created."""
    debounce_key: str
    """One session of this key runs; the newest request waits for its end."""
    provider: str
    credentials: dict[str, str]
    anthropic_key: str
    bedrock: dict[str, str]
    vertex: dict[str, str]
    profile: StartSettings
    trigger_source: str


class ForkFields(TypedDict, total=False):
    """A copy of a session."""

    name: str
    profile_id: str
    initial_prompt: str
    acknowledge_missing_tools: list[str]
