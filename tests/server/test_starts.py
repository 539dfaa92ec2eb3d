"""Starts of sessions and chats: bodies of the client, keys, limits, secrets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lisa_py.contract.session_settings import HIDDEN_VALUE
from lisa_py.host import processes
from lisa_py.store import live_records
from lisa_py.store.secrets import Secret, user_registry
from tests import secret_search
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.server_kit import HttpReply, RunningServer, serving
from tests.session_harness import SessionHarness

ORG, CHATS = "/v1/api/sessions", "/v1/sessions"


def start(server: RunningServer, **body: Any) -> HttpReply:
    return server.call("POST", ORG, {"prompt": "[say hello]", "trigger_source": "cli", **body})


def find(server: RunningServer, identity: str, family: str = "org") -> dict[str, Any]:
    path = "/v1/org/sessions" if family == "org" else CHATS
    found: dict[str, Any] = server.call("GET", f"{path}/{identity}").body["session"]
    return found


def harness(server: RunningServer, name: str) -> SessionHarness:
    return SessionHarness(server.machine, name)


def test_client_body_starts_a_session_once_per_key(server: RunningServer) -> None:
    profile = {"max_turns": 7, "one_shot": False, "allowed_tools": [], "environment": {"A": "1"}, "new": 1}
    body = {"anthropic_key": "", "lc_api_key": server.key, "idempotent_key": "k1", "name": "Job", "profile": profile}
    made = start(server, **body)
    assert (made.status, made.body["status"]) == (201, "starting")
    assert set(made.body) == {"session_id", "status", "created_at", "session", "warnings"}
    assert "unknown key: profile.new" in made.body["warnings"]
    found = find(server, made.body["session_id"])
    assert (found["name"], found["max_turns"], found["trigger_source"]) == ("Job", 7, "cli")
    assert (found["agent"], found["one_shot"], found["definition"]) == ("scripted", False, None)
    again = start(server, **body, model="other")
    assert (again.status, again.body["session_id"]) == (200, made.body["session_id"])
    assert again.body["deduplicated"] is True and again.body["status"] in ("starting", "running")
    server.call("DELETE", f"/v1/org/sessions/{made.body['session_id']}")
    third = start(server, **{**body, "profile": {}})
    assert find(server, third.body["session_id"])["one_shot"] is True  # no one can prompt it
    assert third.status == 201 and third.body["session_id"] != made.body["session_id"]


def test_definition_and_data_are_resolved_by_the_server(server: RunningServer) -> None:
    folder = server.machine.project / ".lisa" / "agents"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "triage.yaml").write_text("prompt: 'Look at {{ .case }}'\nmodel: opus\nmax_turns: 3\none_shot: false\n")
    sent = {"definition": "triage", "data": {"case": 5}, "profile": {"max_turns": 4}}
    made = server.call("POST", ORG, sent)
    assert made.status == 201
    found = find(server, made.body["session_id"])
    assert (found["definition"], found["max_turns"], found["model"]) == ("triage", 4, "opus")
    assert found["initial_prompt"] == "Look at 5\n\nEvent data:\n```yaml\ncase: 5\n```"
    missing = server.call("POST", ORG, {"definition": "none"})
    assert (missing.status, missing.body["error"]) == (404, "definition_not_found")


def test_later_requests_of_a_debounce_key_wait(server: RunningServer) -> None:
    server.machine.lisa("secret", "set", "waiting", stdin="planted-waiting-51")
    first = start(server, debounce_key="d", profile={"one_shot": False})
    second = start(server, debounce_key="d", anthropic_key="planted-waiting-51")
    assert (first.status, second.status) == (201, 202)
    assert second.body == {"session_id": None, "status": "queued", "session": "", "debounce_key": "d"}
    (waiting,) = (server.machine.folder / "state" / "projects").glob("*/pending/*.json")
    assert "secret://waiting" in waiting.read_text() and "planted" not in waiting.read_text()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"prompt": ""}, ["prompt"]),
        ({"prompt": 5}, ["prompt"]),
        ({"profile": {"max_turns": 0}}, ["profile.max_turns"]),
        ({"profile": {"max_turns": "many"}}, ["profile.max_turns"]),
        ({"profile": {"permission_mode": "default"}}, ["profile.permission_mode"]),
        ({"profile": {"allowed_tools": ["Bash(rm)"]}}, ["profile.allowed_tools"]),
        ({"anthropic_key": "a", "credentials": {"api_key": "b"}}, ["credentials", "anthropic_key"]),
    ],
)
def test_refused_starts_name_the_field(server: RunningServer, body: dict[str, Any], fields: list[str]) -> None:
    before = list_everything(server)
    reply = start(server, **body)
    assert list_everything(server) == before
    assert (reply.status, reply.body["error"]) == (422, "validation_failed")
    assert reply.body["details"]["fields"] == fields


def test_start_without_its_secret_creates_nothing(server: RunningServer) -> None:
    before = list_everything(server)
    reply = start(server, profile={"environment": {"A": "secret://absent"}})
    assert (reply.status, reply.body["error"], reply.body["details"]["secret"]) == (404, "secret_not_found", "absent")
    assert list_everything(server) == before


def list_everything(server: RunningServer) -> tuple[list[str], list[str]]:
    """Return the ids of all sessions, and the folders that sessions have."""
    ids = [
        each["id"] for family in ("org/", "") for each in server.call("GET", f"/v1/{family}sessions").body["sessions"]
    ]
    return ids, sorted(map(str, server.machine.folder.glob("state/projects/*/*/*")))


def test_planted_secrets_stay_with_the_agent(server: RunningServer) -> None:
    planted = {"key": "planted-key-51234", "token": "planted-token-51234", "header": "planted-header-51234"}
    ctx = server.machine.context()
    with user_registry(ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
        opened.content.secrets["stored"] = Secret(value="planted-stored-51234")
    made = start(
        server,
        prompt="[say plain]",
        provider="anthropic",
        credentials={"api_key": planted["key"]},
        lc_api_key=server.read_key,
        profile={
            "one_shot": False,
            "environment": {"TOKEN": planted["token"], "STORED": "planted-stored-51234"},
            "mcp_servers": {"m": {"url": "http://127.0.0.1:1", "headers": {"X": planted["header"]}}},
        },
    )
    assert made.status == 201
    session = harness(server, made.body["session"])
    wait_until(lambda: session.prompts() == ["[say plain]"], what="the prompt has arrived")
    record = live_records.read_readable(session.ref)
    assert record is not None and record.settings.environment
    assert record.settings.environment["STORED"] == "secret://stored"
    found = secret_search.find_secrets(session, {**planted, "api": server.read_key})
    keys = {place: names for place, names in found.items() if place.endswith("server/keys.json")}
    assert found == keys == {next(iter(keys)): ["api"]}
    shown = find(server, made.body["session_id"])
    assert not any(value in str(shown) for value in planted.values())


@pytest.mark.parametrize("scope", ["control", "read"])
def test_own_api_key_reaches_the_agent_alone(server: RunningServer, scope: str) -> None:
    key = server.key if scope == "control" else server.read_key
    made = start(server, prompt=f"[say key {key}]", lc_api_key=key, profile={"one_shot": False})
    session = harness(server, made.body["session"])
    session.wait_for_text("● key")
    assert read_variable(session, "LISA_API_TOKEN") == key
    shown = session.lisa("history", "--json").out + session.lisa("capture", "--json").out
    assert f"key {HIDDEN_VALUE}" in shown
    assert key not in shown + str(find(server, made.body["session_id"]))


def test_other_keys_of_the_body_are_dropped(server: RunningServer) -> None:
    made = start(server, lc_api_key="planted-other-51234", lc_uid="planted-uid-51234", profile={"one_shot": False})
    session = harness(server, made.body["session"])
    session.wait_for_text("● hello")
    assert read_variable(session, "LISA_API_TOKEN") == ""
    assert secret_search.find_secrets(session, {"key": "planted-other-51234", "uid": "planted-uid-51234"}) == {}


def read_variable(session: SessionHarness, name: str) -> str:
    """Return a variable of the agent's process; empty without it."""
    meta = session.ctx.read_meta(session.ref)
    assert meta is not None
    values = [processes.read_environment(each).get(name, "") for each in processes.read_tree(meta.pane_pid)]
    return next(filter(None, values), "")


def test_chat_is_running_when_the_answer_arrives(server: RunningServer) -> None:
    body = {"name": "Talk", "idempotent_key": "c", "max_turns": 9, "permission_mode": "plan", "lc_credentials": {}}
    made = server.call("POST", CHATS, {**body, "colour": "red"})
    assert (made.status, set(made.body)) == (201, {"session", "warnings"})
    found = made.body["session"]
    assert (found["status"], found["name"], found["session_type"]) == ("running", "Talk", "user")
    assert (found["max_turns"], found["permission_mode"], found["one_shot"]) == (9, "plan", None)
    assert "unknown key: colour" in made.body["warnings"]
    again = server.call("POST", CHATS, body)
    assert (again.status, again.body["session"]["id"], again.body["deduplicated"]) == (200, found["id"], True)
    assert server.call("GET", f"/v1/org/sessions/{found['id']}").status == 404
    record = f"{CHATS}/{found['id']}/record"
    refused = server.call("DELETE", record)
    assert (refused.status, refused.body["error"]) == (409, "session_not_ended")
    assert server.call("DELETE", f"{CHATS}/{found['id']}").body == {"terminated": True}
    assert server.call("GET", f"{CHATS}/{found['id']}").body["session"]["end_reason"] == "user_requested"
    assert server.call("DELETE", record).body == {"deleted": True}
    assert server.call("GET", f"{CHATS}/{found['id']}").status == 404


def test_an_empty_body_starts_a_chat_in_another_folder(server: RunningServer) -> None:
    assert server.call("POST", CHATS, {"workdir": "relative"}).body["details"]["fields"] == ["workdir"]
    made = server.call("POST", CHATS, {"workdir": str(server.machine.home), "profile_id": "full-permissions"})
    found = made.body["session"]
    assert (found["workdir"], found["permission_mode"]) == (str(server.machine.home), "bypassPermissions")
    assert found["id"] in [each["id"] for each in server.call("GET", CHATS).body["sessions"]]
    assert server.call("POST", CHATS, {"profile_id": "none"}).body["error"] == "profile_not_found"


def test_a_read_token_starts_and_ends_nothing(server: RunningServer) -> None:
    token = server.mint(scope="read")
    for method, path in (("POST", ORG), ("POST", CHATS), ("POST", "/v1/register"), ("DELETE", "/v1/register")):
        reply = server.call(method, path, {"prompt": "x"}, token=token)
        assert (reply.status, reply.body["error"]) == (403, "forbidden")


def test_an_agent_without_a_credential_is_refused(server: RunningServer) -> None:
    server.machine.add_program("claude", "#!/bin/sh\n")
    refused = server.call("POST", CHATS, {"agent": "claude"})
    assert (refused.status, refused.body["error"]) == (403, "no_credentials")


def test_registration_is_kept_and_its_end_removes_chats(machine: LisaHost) -> None:
    with serving(machine, "--agent", "scripted", "--max-sessions", "1", "--max-creations", "2") as server:
        unknown = server.call("POST", CHATS, {})
        assert (unknown.status, unknown.body["error"]) == (403, "not_registered")
        first, second = (server.call("POST", "/v1/register", raw=b"") for _ in range(2))
        assert (first.status, first.body) == (200, second.body) and set(first.body) == {"registered", "registered_at"}
        made = server.call("POST", CHATS, {}).body["session"]
        full = server.call("POST", CHATS, {})
        assert (full.status, full.body["error"]) == (409, "max_sessions_reached")
        server.call("DELETE", f"{CHATS}/{made['id']}")
        assert server.call("POST", CHATS, {}).status == 201
        flood = server.call("POST", CHATS, {})
        assert (flood.status, flood.body["error"]) == (429, "rate_limited")
        assert 1 <= int(flood.headers["retry-after"]) <= 60
        assert server.call("DELETE", "/v1/register").body == {"deregistered": True}
        assert server.call("GET", CHATS).body["sessions"] == []
        assert server.call("POST", CHATS, {}).body["error"] == "not_registered"


def test_limits_and_keys_hold_for_concurrent_calls(machine: LisaHost) -> None:
    keyed = {"prompt": "[say hi]", "idempotent_key": "k", "profile": {"one_shot": False}}
    with serving(machine, "--agent", "scripted", "--max-sessions", "2") as server, ThreadPoolExecutor(5) as threads:
        server.register()
        chats = threads.map(lambda _: server.call("POST", CHATS, {}).status, range(5))
        assert sorted(chats) == [201, 201, 409, 409, 409]
        started = list(threads.map(lambda _: server.call("POST", ORG, keyed), range(5)))
        assert sorted(reply.status for reply in started) == [200, 200, 200, 200, 201]
        assert len({reply.body["session_id"] for reply in started}) == 1
