"""Copies of sessions and profiles from their settings, over the API."""

from __future__ import annotations

from typing import Any

from tests.server_kit import RunningServer
from tests.session_harness import SessionHarness

CHATS = "/v1/sessions"
FORK_KEYS = {
    "source_session_id", "source_session_type", "source_status", "source_name", "source_lifetime_days",
    "default_fork_name", "source_mcp_servers", "missing_mcps", "is_forkable", "is_forkable_reason", "history_available",
}  # fmt: skip


def make_source(server: RunningServer) -> dict[str, Any]:
    """Return a session of the project with a conversation and an MCP server."""
    profile = {
        "one_shot": False,
        "max_turns": 8,
        "environment": {"PLAIN": "planted-plain-1", "NAMED": "env:HOME"},
        "mcp_servers": {"m": {"url": "http://127.0.0.1:1"}},
    }
    made = server.call(
        "POST", "/v1/api/sessions", {"prompt": "[say the number is 41]", "name": "S", "profile": profile}
    )
    session = SessionHarness(server.machine, made.body["session"])
    session.wait_for_text("● the number is 41")
    session.wait_for_state("idle")
    found: dict[str, Any] = made.body
    return found


def test_fork_names_what_the_profile_lacks(server: RunningServer) -> None:
    source = make_source(server)
    one = f"{CHATS}/{source['session_id']}"
    facts = server.call("GET", f"{one}/fork-preflight").body
    assert set(facts) == FORK_KEYS
    assert (facts["source_session_type"], facts["default_fork_name"], facts["is_forkable"]) == (
        "api",
        "Fork of S",
        True,
    )
    assert (facts["source_mcp_servers"], facts["missing_mcps"]) == (["m"], ["m"]) and facts["history_available"]
    refused = server.call("POST", f"{one}/fork", {})
    assert (refused.status, refused.body["error"]) == (412, "missing_tools")
    assert refused.body["details"]["missing_mcps"] == ["m"]
    made = server.call("POST", f"{one}/fork", {"acknowledge_missing_tools": ["m"], "initial_prompt": "[say copied]"})
    assert made.status == 201, made
    copy = made.body["session"]
    assert (copy["name"], copy["session_type"], copy["status"]) == ("Fork of S", "user", "running")
    assert copy["forked_from_session_id"] == source["session_id"]
    assert copy["permission_mode"] == "acceptEdits" and copy["max_turns"] is None
    session = SessionHarness(server.machine, copy["lisa_session"])
    session.wait_for_text("● copied")
    (prompt,) = session.prompts()
    assert "assistant: the number is 41" in prompt


def test_command_is_not_forkable(server: RunningServer) -> None:
    session = SessionHarness(server.machine).run("sleep 600")
    identity = session.lisa("get").json["session"]["id"]
    facts = server.call("GET", f"{CHATS}/{identity}/fork-preflight").body
    assert (facts["is_forkable"], facts["is_forkable_reason"]) == (False, "it runs a command, not an agent")
    refused = server.call("POST", f"{CHATS}/{identity}/fork", {})
    assert (refused.status, refused.body["error"]) == (409, "session_not_forkable")
    assert server.call("POST", f"{CHATS}/{identity}/fork", {"profile_id": "none"}).body["error"] == "profile_not_found"
    assert server.call("GET", f"{CHATS}/none/fork-preflight").status == 404


def test_captured_profile_holds_no_secret(server: RunningServer) -> None:
    sent = {"name": "T", "max_turns": 8, "allowed_tools": ["Read"], "permission_mode": "plan"}
    made = server.call("POST", CHATS, sent).body["session"]
    path = f"{CHATS}/{made['id']}/capture-profile"
    captured = server.call("POST", path, {"name": "Captured", "description": "d"})
    assert captured.status == 201
    profile = captured.body["profile"]
    assert (profile["name"], profile["description"], profile["is_default"]) == ("Captured", "d", False)
    assert (profile["max_turns"], profile["allowed_tools"], profile["permission_mode"]) == (8, ["Read"], "plan")
    assert server.call("POST", path, {"name": "Captured"}).body["error"] == "profile_exists"
    assert server.call("POST", path, {}).body["details"]["fields"] == ["name"]
    source = make_source(server)
    assert server.call("POST", f"{CHATS}/{source['session_id']}/capture-profile", {"name": "x"}).status == 404
