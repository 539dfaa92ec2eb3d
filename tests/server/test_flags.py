"""Effects of the flags of `lisa serve`: sockets of owners and pages, listeners, agents, projects."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lisa_py.commands import serve
from lisa_py.core.fleet import admission
from lisa_py.store import live_records
from tests.lisa_host import LisaHost
from tests.server.test_security import list_listeners
from tests.server.test_sockets import identify, refuse
from tests.server_kit import RunningServer, serving
from tests.session_harness import SessionHarness

PAGE, EVERY_PROJECT = "https://app.example", "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def open_server() -> Iterator[RunningServer]:
    """Yield a server that admits owners to every session, and one page; it names no agent."""
    machine = LisaHost()
    for agent in ("claude", "codex"):
        machine.add_program(agent, f"#!/bin/sh\necho this is {agent}\nexit 3\n")
    try:
        with serving(machine, "--interactive-api-sessions", "--allow-origin", PAGE) as running:
            running.register()
            yield running
    finally:
        machine.close()


def test_owners_of_all_sessions_may_send(open_server: RunningServer) -> None:
    stage = SessionHarness(open_server.machine, "lisa-open-1").spawn()
    with open_server.connect(identify(stage)) as reader:
        reader.read_until("session_status")
        reader.send("prompt", text="[say typed]")
        reader.read_until("assistant", content="typed")
    with open_server.connect(identify(stage), family="org") as reader:
        reader.read_until("session_status")
        reader.send("prompt", text="[say never]")
        assert reader.read_until("error")["payload"]["code"] == "read_only"
    assert stage.prompts() == ["[say typed]"]


def test_sockets_of_an_allowed_page_open(open_server: RunningServer) -> None:
    stage = SessionHarness(open_server.machine, "lisa-page-1").spawn()
    token = open_server.mint()
    with open_server.connect(identify(stage), token="", query=f"?token={token}", origin=PAGE) as reader:
        assert reader.read()["type"] == "history"
    for origin in ("null", "http://app.example", f"http://127.0.0.1:{open_server.port}"):
        assert refuse(open_server, identify(stage), origin=origin) == (403, "foreign_origin")


def test_provider_chooses_the_agent_of_a_start(open_server: RunningServer) -> None:
    for provider, agent in (("openai", "codex"), ("anthropic", "claude"), ("", "claude")):
        body = {"prompt": "x", "provider": provider, "anthropic_key": "planted-key-of-the-start"}
        reply = open_server.call("POST", "/v1/api/sessions", body)
        assert (reply.status, reply.body["error"]) == (409, "spawn_early_exit"), reply
        assert f"this is {agent}" in reply.body["message"]


def test_one_server_serves_every_project(open_server: RunningServer) -> None:
    machine = open_server.machine
    other = machine.folder / "other"
    other.mkdir()
    stage = SessionHarness(machine, "lisa-here-1").spawn()
    words = ("session", "spawn", "--session", "lisa-there-1", "--agent", "scripted", "--project-root", str(other))
    assert machine.lisa(*words, "--json").code == 0
    identity = live_records.project_id(machine.context().project(str(other)))

    def list_names(oid: str) -> set[str]:
        reply = open_server.call("GET", "/v1/org/sessions", token=open_server.mint(oid=oid), headers={"X-LC-OID": oid})
        return {each["lisa_session"] for each in reply.body["sessions"]}

    assert stage.name in list_names(open_server.project_id) and "lisa-there-1" not in list_names(open_server.project_id)
    assert list_names(identity) == {"lisa-there-1"}
    assert list_names(EVERY_PROJECT) >= {stage.name, "lisa-there-1"}
    headers = {"X-LC-OID": identity}
    assert open_server.call("GET", f"/v1/org/sessions/{stage.name}", headers=headers).status == 404
    with open_server.connect("lisa-there-1", family="org", token=open_server.mint(oid=identity)) as reader:
        assert reader.read()["type"] == "history"
    assert refuse(open_server, identify(stage), family="org", token=open_server.mint(oid=identity))[0] == 404


def test_limits_of_running_sessions_are_those_of_the_service() -> None:
    assert (serve.Args().max_sessions, serve.Args().max_creations, admission.MAX_STARTED) == (10, 10, 20)


def test_socket_alone_opens_no_port(machine: LisaHost, tmp_path: Path) -> None:
    path = tmp_path / "serve.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))  # of a server that was killed: nothing listens
    with serving(machine, "--socket", str(path), port=None) as server:
        assert (list_listeners(server.process.pid), server.url) == (set(), "http://localhost")
        assert str(path) in machine.lisa("serve", "--check", check_schema=False).out
        other = LisaHost()
        try:
            for place in (path, tmp_path / "absent" / "x.sock"):
                refused = other.lisa("serve", "--socket", str(place), "--json")
                assert (refused.code, refused.json["errorCode"]) == (1, "socket_refused")
        finally:
            other.close()
        assert path.is_socket()
