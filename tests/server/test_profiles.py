"""Profiles over the API: bodies, partial changes, limits, hidden values."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server_kit import RunningServer

PATH = "/v1/profiles"


def create(server: RunningServer, **body: Any) -> dict[str, Any]:
    made = server.call("POST", PATH, body)
    assert made.status == 201, made
    found: dict[str, Any] = made.body["profile"]
    return found


def test_two_profiles_are_supplied(server: RunningServer) -> None:
    first, second = server.call("GET", PATH).body["profiles"]
    assert (first["name"], first["is_default"], first["permission_mode"]) == ("Default", True, "acceptEdits")
    assert (first["denied_tools"], first["allowed_tools"][:2]) == ([], ["Read", "Bash(cat:*)"])
    assert (second["name"], second["is_default"], second["permission_mode"]) == (
        "Full Permissions", False, "bypassPermissions",
    )  # fmt: skip


def test_profile_is_created_changed_and_deleted(server: RunningServer) -> None:
    servers = {"m": {"type": "http", "url": "http://127.0.0.1:1", "headers": {"X": "planted-header-1"}}}
    environment = {"A": "env:HOME", "B": "planted-b-1"}
    made = create(
        server,
        name="Mine",
        description="d",
        agent="scripted",
        max_turns=5,
        environment=environment,
        mcp_servers=servers,
    )
    one = f"{PATH}/{made['id']}"
    assert made["environment"] == {"A": "env:HOME", "B": "[REDACTED_SECRET]"} and "planted" not in str(made)
    assert (made["agent"], made["description"]) == ("scripted", "d")
    again = server.call("POST", PATH, {"name": "Mine"})
    assert (again.status, again.body["error"]) == (409, "profile_exists")
    changed = server.call("PUT", one, {"model": "opus", "name": "Yours"}).body["profile"]
    assert (changed["model"], changed["max_turns"], changed["name"]) == ("opus", 5, "Yours")
    assert server.call("PATCH", one, {**changed, "max_turns": 6}).body["profile"]["max_turns"] == 6
    started = server.call("POST", "/v1/sessions", {"profile_id": made["id"]}).body["session"]
    assert (started["max_turns"], started["model"]) == (6, "opus")
    kept = server.machine.lisa("profiles", "show", "Yours", "--json").json
    assert kept["settings"]["environment"] == {"A": "env:HOME", "B": "[REDACTED_SECRET]"}
    stored = (server.machine.folder / "state" / "profiles.json").read_text()
    assert "planted-b-1" in stored and "planted-header-1" in stored
    assert server.call("GET", one).body["profile"]["name"] == "Yours"
    assert server.call("DELETE", one).body == {"deleted": True}
    assert server.call("GET", one).status == 404


def test_default_profile_moves_and_cannot_be_deleted(server: RunningServer) -> None:
    made = create(server, name="New default")
    chosen = server.call("POST", f"{PATH}/{made['id']}/default")
    assert chosen.body["profile"]["is_default"] is True
    assert [each["name"] for each in server.call("GET", PATH).body["profiles"] if each["is_default"]] == ["New default"]
    refused = server.call("DELETE", f"{PATH}/{made['id']}")
    assert (refused.status, refused.body["error"]) == (409, "default_profile")
    server.call("POST", f"{PATH}/default/default")
    assert server.call("DELETE", f"{PATH}/{made['id']}").status == 200


def test_eleventh_profile_is_refused(server: RunningServer) -> None:
    free = 10 - len(server.call("GET", PATH).body["profiles"])
    made = [create(server, name=f"P{number}") for number in range(free)]
    refused = server.call("POST", PATH, {"name": "one too many"})
    assert (refused.status, refused.body["error"]) == (409, "max_profiles")
    for each in made:
        server.call("DELETE", f"{PATH}/{each['id']}")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"name": "n", "description": "d" * 501}, "description"),
        ({"name": "n", "allowed_tools": "Read"}, "allowed_tools"),
        ({"name": "n", "max_budget_usd": 0}, "max_budget_usd"),
        ({"name": "n", "mcp_servers": {"m": {"type": "stdio"}}}, "mcp_servers"),
    ],
)
def test_refused_profiles_name_the_field(server: RunningServer, body: dict[str, Any], field: str) -> None:
    reply = server.call("POST", PATH, body)
    assert (reply.status, reply.body["error"], reply.body["details"]["fields"]) == (422, "validation_failed", [field])


def test_unknown_profile_and_keys(server: RunningServer) -> None:
    for method in ("GET", "PUT", "DELETE"):
        reply = server.call(method, f"{PATH}/none", {} if method == "PUT" else None)
        assert (reply.status, reply.body["error"]) == (404, "profile_not_found")
    reply = server.call("PUT", f"{PATH}/default", {"colour": 1})
    assert reply.body["warnings"] == ["unknown key: colour"]
