"""Settings of a session: what a definition, a profile or a caller may set, their check and their merge."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import UsageError
from lisa_py.contract.late_pattern import compile_late

ON_LIMIT = ("wait", "stop")
PERMISSION_MODES = ("acceptEdits", "plan", "bypassPermissions")
REFERENCE_PREFIXES = ("hive://secret/", "secret://", "env:", "file:")
"""Prefixes of values that name a secret instead of holding it."""
HIDDEN_VALUE = "[REDACTED_SECRET]"
"""Replacement of a value that is not a reference, where settings are stored or shown."""
SETTINGS_ERRORS = (
    "invalid_credentials",
    "invalid_env",
    "invalid_max_budget_usd",
    "invalid_max_turns",
    "invalid_mcp_servers",
    "invalid_on_limit",
    "invalid_permission_mode",
    "invalid_task_budget_tokens",
    "invalid_tool_pattern",
    "invalid_ttl_seconds",
)
"""Error codes of `check`."""
PLAIN_CREDENTIALS = frozenset(
    ("auth", "region", "project_id", "org_id", "endpoint", "base_url", "deployment_name", "api_version")
)
"""Keys of `credentials` that say where and how, and hold no secret."""
_COUNTS = ("max_turns", "task_budget_tokens", "ttl_seconds")
VARIABLE_NAME = compile_late(r"[A-Za-z_][A-Za-z0-9_]*\Z")
TOOL_PATTERN = compile_late(r"(?!mcp__\Z)[A-Za-z_][\w.-]*\Z|Bash\((?P<prefix>[^\s:](?:.*\S)?):\*\)\Z", re.DOTALL)
"""A tool name, a command prefix, an MCP server or one of its tools."""
_MCP_SERVER = compile_late(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_MCP_TYPES = ("http", "sse", "stdio")
_PARTS = ("headers", "env")
"""Parts of an MCP server that may hold secrets."""


class RequestSettings(Struct, kw_only=True, frozen=True):
    """Settings that a request may carry as plain fields; an UNSET one is not given."""

    provider: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    max_turns: int | UnsetType = UNSET
    max_budget_usd: float | UnsetType = UNSET
    task_budget_tokens: int | UnsetType = UNSET
    ttl_seconds: int | UnsetType = UNSET
    one_shot: bool | UnsetType = UNSET
    permission_mode: str | UnsetType = UNSET
    """acceptEdits, plan or bypassPermissions; empty: the default of the agent's launch."""
    allowed_tools: tuple[str, ...] | UnsetType = UNSET
    denied_tools: tuple[str, ...] | UnsetType = UNSET
    plugins: tuple[str, ...] | UnsetType = UNSET


class ProfileSettings(RequestSettings, kw_only=True, frozen=True):
    """Settings that a profile keeps."""

    agent: str | UnsetType = UNSET
    environment: dict[str, str] | UnsetType = UNSET
    mcp_servers: dict[str, dict[str, Any]] | UnsetType = UNSET


class SessionSettings(ProfileSettings, kw_only=True, omit_defaults=True, frozen=True):
    """Settings of one session; the keys are those of definitions and profiles.

    Values of `environment` and `credentials`, and of `headers` and `env` in `mcp_servers`, may be references
    (`hive://secret/N`, `secret://N`, `env:N`, `file:P`).
    """

    name: str | UnsetType = UNSET
    system_prompt: str | UnsetType = UNSET
    credentials: dict[str, str] | UnsetType = UNSET
    """`api_key`, a key named for its provider (`anthropic_key`), or the fields of another access that `auth` names."""
    on_limit: str | UnsetType = UNSET
    """Effect of a usage limit: wait, stop; empty: none."""


FIELD_NAMES = SessionSettings.__struct_fields__
AGENT_SETTINGS = (
    "permission_mode",
    "allowed_tools",
    "denied_tools",
    "plugins",
    "mcp_servers",
    "system_prompt",
    "credentials",
)
"""Settings that only the agent itself can apply."""


def check(settings: SessionSettings) -> None:
    """Raise UsageError with the code of the first value that is out of range or malformed."""
    for field in _COUNTS:
        value = getattr(settings, field)
        if value is not UNSET and value < 1:
            raise _make_error(field, value, "a number >= 1")
    budget = settings.max_budget_usd
    if budget is not UNSET and not 0 < budget < float("inf"):
        raise _make_error("max_budget_usd", budget, "a number > 0")
    mode = settings.permission_mode
    if mode is not UNSET and mode not in ("", *PERMISSION_MODES):
        raise _make_error("permission_mode", mode, ", ".join(PERMISSION_MODES))
    if settings.on_limit is not UNSET and settings.on_limit not in ("", *ON_LIMIT):
        raise _make_error("on_limit", settings.on_limit, ", ".join(ON_LIMIT))
    check_variables(settings.environment or ())
    if settings.credentials is not UNSET and "" in settings.credentials:
        raise _make_error("credentials", "an empty key", "KEY=VALUE")
    _check_tools("allowed_tools", settings.allowed_tools)
    _check_tools("denied_tools", settings.denied_tools)
    _check_servers(settings.mcp_servers or {})


def check_variables(names: Iterable[str]) -> None:
    """Check names of variables. Raise UsageError(invalid_env)."""
    for name in names:
        if not VARIABLE_NAME.match(name):
            raise _make_error("environment", repr(name), "letters, digits and _, no digit first", "env")


def _make_error(field: str, value: object, expected: str, kind: str = "") -> UsageError:
    return UsageError(f"invalid_{kind or field}", f"invalid {field}: {value} (expected {expected})", field=field)


def _check_tools(field: str, patterns: tuple[str, ...] | UnsetType) -> None:
    for pattern in patterns or ():
        if not TOOL_PATTERN.match(pattern):
            expected = "a tool name, Bash(PREFIX:*), mcp__SERVER or mcp__SERVER__TOOL"
            raise _make_error(field, pattern, expected, "tool_pattern")


def _check_servers(servers: Mapping[str, Mapping[str, Any]]) -> None:
    for name, server in servers.items():
        if not _MCP_SERVER.match(name):
            raise _make_error("mcp_servers", name, "server names of letters, digits, '.', _ and -")
        kind = server.get("type") or ("stdio" if "command" in server else "http")
        if kind not in _MCP_TYPES:
            raise _make_error("mcp_servers", f"{name}.type {kind}", ", ".join(_MCP_TYPES))
        needed = "command" if kind == "stdio" else "url"
        if not isinstance(server.get(needed), str) or not server[needed]:
            raise _make_error("mcp_servers", f"{name} without {needed}", f"{needed} for type {kind}")
        for part in _PARTS:
            if not _is_text_map(server.get(part) or {}):
                raise _make_error("mcp_servers", f"{name}.{part}", "a map of texts")


def _is_text_map(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(part, str) for pair in value.items() for part in pair)


def merge(*layers: SessionSettings) -> SessionSettings:
    """Return the settings of all layers: a later one replaces values, and adds to the environment."""
    merged: dict[str, Any] = {}
    for layer in layers:
        given = {field: getattr(layer, field) for field in FIELD_NAMES}
        for field, value in given.items():
            if value is not UNSET:
                merged[field] = {**merged.get(field, {}), **value} if field == "environment" else value
    return SessionSettings(**merged)


def resolve_settings(
    *, defaults: SessionSettings, profile: SessionSettings, definition: SessionSettings, overrides: SessionSettings
) -> SessionSettings:
    """Return the effective settings: defaults < profile < definition < overrides, which set no MCP servers."""
    return merge(defaults, profile, definition, msgspec.structs.replace(overrides, mcp_servers=UNSET))


def is_reference(value: str) -> bool:
    """Return True if the value names a secret instead of holding it."""
    return value.startswith(REFERENCE_PREFIXES)


def secret_values(settings: SessionSettings) -> Iterator[str]:
    """Yield every value that may be a reference or a secret."""
    yield from (settings.environment or {}).values()
    yield from (value for key, value in (settings.credentials or {}).items() if key not in PLAIN_CREDENTIALS)
    for server in (settings.mcp_servers or {}).values():
        for part in _PARTS:
            yield from (server.get(part) or {}).values()


def map_secret_values(settings: SessionSettings, change: Callable[[str], str]) -> SessionSettings:
    """Return the settings with `change(value)` in place of every value that may be a reference or a secret."""

    def each(values: Mapping[str, str]) -> dict[str, str]:
        return {key: change(value) for key, value in values.items()}

    changed: dict[str, Any] = {}
    if settings.environment is not UNSET:
        changed["environment"] = each(settings.environment)
    if settings.credentials is not UNSET:
        plain = {key: value for key, value in settings.credentials.items() if key in PLAIN_CREDENTIALS}
        changed["credentials"] = {**each(settings.credentials), **plain}
    if settings.mcp_servers is not UNSET:
        changed["mcp_servers"] = {
            name: {**server, **{part: each(server[part]) for part in _PARTS if server.get(part)}}
            for name, server in settings.mcp_servers.items()
        }
    return msgspec.structs.replace(settings, **changed)


def hide_secrets(settings: SessionSettings) -> SessionSettings:
    """Return the settings as they may be stored and shown: references stay, other secret values are hidden."""
    return map_secret_values(settings, lambda value: value if is_reference(value) or not value else HIDDEN_VALUE)


def drop_hidden(settings: SessionSettings) -> tuple[SessionSettings, tuple[str, ...]]:
    """Return stored settings without values that were not stored, and a warning for each."""
    dropped: list[str] = []

    def keep(place: str, values: Mapping[str, str]) -> dict[str, str]:
        dropped.extend(
            f"{place} {key} is left out: its value was not stored" for key in values if is_hidden(values[key])
        )
        return {key: value for key, value in values.items() if not is_hidden(value)}

    changed: dict[str, Any] = {}
    if settings.environment:
        changed["environment"] = keep("environment", settings.environment) or UNSET
    if settings.credentials and any(map(is_hidden, settings.credentials.values())):
        dropped.append("credentials are left out: their values were not stored")
        changed["credentials"] = UNSET
    if settings.mcp_servers:
        changed["mcp_servers"] = {
            name: {
                **server,
                **{part: keep(f"{name} {part}", server[part]) for part in _PARTS if part in server},
            }
            for name, server in settings.mcp_servers.items()
        }
    return msgspec.structs.replace(settings, **changed), tuple(dropped)


def restore_hidden(settings: SessionSettings, former: SessionSettings) -> SessionSettings:
    """Return settings with the former values in place of hidden ones; those without a former value are left out."""

    def restore(values: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
        chosen = {key: known.get(key, value) if is_hidden(value) else value for key, value in values.items()}
        return {key: value for key, value in chosen.items() if not is_hidden(value)}

    changed: dict[str, Any] = {}
    if settings.environment is not UNSET:
        changed["environment"] = restore(settings.environment, former.environment or {})
    if settings.mcp_servers is not UNSET:
        known = former.mcp_servers or {}
        changed["mcp_servers"] = {
            name: {
                **server,
                **{
                    part: restore(server[part], known.get(name, {}).get(part) or {})
                    for part in _PARTS
                    if server.get(part)
                },
            }
            for name, server in settings.mcp_servers.items()
        }
    return msgspec.structs.replace(settings, **changed)


def is_hidden(value: str) -> bool:
    return value == HIDDEN_VALUE


def describe_unapplied(agent: str, settings: SessionSettings, applied: Collection[str]) -> tuple[str, ...]:
    """Return a warning for each setting of the agent that is given and not applied."""
    given = (field for field in AGENT_SETTINGS if getattr(settings, field))
    return tuple(f"{field} is not applied: {agent} has no such setting" for field in given if field not in applied)
