"""Settings of a session: check, merge, hidden values."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from lisa_py.contract.errors import UsageError
from lisa_py.contract.session_settings import (
    SETTINGS_ERRORS,
    SessionSettings,
    check,
    hide_secrets,
    merge,
    resolve_settings,
    secret_values,
)

EMPTY = SessionSettings()
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("invalid_max_turns", {"max_turns": 0}),
    ("invalid_task_budget_tokens", {"task_budget_tokens": -5}),
    ("invalid_ttl_seconds", {"ttl_seconds": 0}),
    ("invalid_max_budget_usd", {"max_budget_usd": 0.0}),
    ("invalid_max_budget_usd", {"max_budget_usd": float("nan")}),
    ("invalid_max_budget_usd", {"max_budget_usd": float("inf")}),
    ("invalid_on_limit", {"on_limit": "switch"}),
    ("invalid_permission_mode", {"permission_mode": "default"}),
    ("invalid_tool_pattern", {"allowed_tools": ("Bash(git)",)}),
    ("invalid_tool_pattern", {"allowed_tools": ("Bash(:*)",)}),
    ("invalid_tool_pattern", {"denied_tools": ("Read(/etc:*)",)}),
    ("invalid_tool_pattern", {"denied_tools": ("mcp__",)}),
    ("invalid_tool_pattern", {"denied_tools": ("",)}),
    ("invalid_tool_pattern", {"denied_tools": ("Bash(a:*)\n",)}),
    ("invalid_tool_pattern", {"denied_tools": ("Read", "Bash(git *)")}),
    ("invalid_tool_pattern", {"denied_tools": ("Bash( git:*)",)}),
    ("invalid_env", {"environment": {"A-B": "x"}}),
    ("invalid_credentials", {"credentials": {"": "x"}}),
    ("invalid_mcp_servers", {"mcp_servers": {"a b": {"url": "http://x"}}}),
    ("invalid_mcp_servers", {"mcp_servers": {"a": {"type": "tcp", "url": "http://x"}}}),
    ("invalid_mcp_servers", {"mcp_servers": {"a": {"type": "http"}}}),
    ("invalid_mcp_servers", {"mcp_servers": {"a": {"command": "x", "env": {"A": 1}}}}),
]


@pytest.mark.parametrize(("code", "values"), REFUSED, ids=[f"{code}-{i}" for i, (code, _) in enumerate(REFUSED)])
def test_refused_values_have_their_own_code(code: str, values: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refused:
        check(SessionSettings(**values))
    assert refused.value.code == code


def test_every_code_of_the_check_is_declared() -> None:
    assert sorted(SETTINGS_ERRORS) == sorted({code for code, _ in REFUSED})


def test_accepts_the_documented_values() -> None:
    check(EMPTY)
    check(
        SessionSettings(
            max_turns=1,
            max_budget_usd=0.01,
            permission_mode="",
            allowed_tools=("Read", "Bash(git log:*)", "mcp__srv-1", "mcp__srv__tool_x"),
            mcp_servers={"a": {"url": "http://x"}, "b": {"command": "run", "args": ["x"]}},
            environment={"A_1": "hive://secret/x"},
        )
    )


def test_later_layers_replace_and_the_environment_merges() -> None:
    merged = resolve_settings(
        defaults=SessionSettings(one_shot=True, permission_mode="acceptEdits", max_turns=5),
        profile=SessionSettings(max_turns=10, environment={"A": "profile", "P": "1"}, allowed_tools=("Read",)),
        definition=SessionSettings(
            max_turns=20, environment={"A": "definition", "D": "1"}, mcp_servers={"m": {"url": "u"}}
        ),
        overrides=SessionSettings(
            one_shot=False, environment={"A": "caller"}, allowed_tools=(), mcp_servers={"n": {"url": "v"}}
        ),
    )
    assert merged == SessionSettings(
        one_shot=False,
        permission_mode="acceptEdits",
        max_turns=20,
        environment={"A": "caller", "P": "1", "D": "1"},
        allowed_tools=(),
        mcp_servers={"m": {"url": "u"}},
    )
    assert merge() == EMPTY and merge(EMPTY, merged) == merged


def test_only_given_settings_are_encoded() -> None:
    settings = SessionSettings(one_shot=False, allowed_tools=(), model="opus")
    raw = msgspec.json.encode(settings)
    assert msgspec.json.decode(raw) == {"one_shot": False, "allowed_tools": [], "model": "opus"}
    assert msgspec.json.decode(raw, type=SessionSettings) == settings


def test_stored_settings_keep_references_only() -> None:
    settings = SessionSettings(
        environment={"A": "hive://secret/a", "B": "literal", "C": ""},
        credentials={"auth": "bedrock", "access_key_id": "AKIA", "secret_access_key": "secret://k"},
        mcp_servers={"m": {"url": "u", "headers": {"Authorization": "Bearer x"}, "args": ["y"]}},
    )
    assert list(secret_values(settings)) == ["hive://secret/a", "literal", "", "AKIA", "secret://k", "Bearer x"]
    hidden = hide_secrets(settings)
    assert hidden.environment == {"A": "hive://secret/a", "B": "[REDACTED_SECRET]", "C": ""}
    assert hidden.credentials == {
        "auth": "bedrock",
        "access_key_id": "[REDACTED_SECRET]",
        "secret_access_key": "secret://k",
    }
    assert hidden.mcp_servers == {"m": {"url": "u", "headers": {"Authorization": "[REDACTED_SECRET]"}, "args": ["y"]}}
    assert hide_secrets(EMPTY).environment is UNSET
