"""Queries and bodies out of range: pages, cursors, sizes, depths; routes that the machine does not have."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server_kit import RunningServer
from tests.session_harness import SessionHarness

FAMILIES = ("/v1/sessions", "/v1/org/sessions")


@pytest.fixture(scope="module")
def chat(server: RunningServer) -> Iterator[dict[str, Any]]:
    """Yield a chat of two turns."""
    found = server.call("POST", "/v1/sessions", {"prompt": "[say one]"}).body["session"]
    session = SessionHarness(server.machine, found["lisa_session"])
    session.wait_for_text("● one")
    session.wait_for_state("idle")
    session.send("[say two]")
    session.wait_for_text("● two")
    session.wait_for_state("idle")
    yield found


@pytest.mark.parametrize("path", FAMILIES)
def test_pages_are_checked(server: RunningServer, chat: dict[str, Any], path: str) -> None:
    for query in (
        "limit=0",
        "limit=-7",
        "limit=201",
        f"limit={'9' * 5000}",
        "limit=%C2%B2",
        "status=pending",
        "status=starting",
    ):
        reply = server.call("GET", f"{path}?{query}")
        assert reply.status == 200 and set(reply.body) == {"sessions", "next_cursor"}, query
    for query, status, error in (
        ("status=dormant", 422, "invalid_session_status"),
        ("cursor=x", 400, "invalid_cursor"),
        ("cursor=%00%FF", 400, "invalid_cursor"),
        ("cursor=WzEsMl0", 400, "invalid_cursor"),
    ):
        reply = server.call("GET", f"{path}?{query}")
        assert (reply.status, reply.body["error"]) == (status, error), query


def test_pages_end_and_repeat_nothing(server: RunningServer, chat: dict[str, Any]) -> None:
    for _ in range(2):
        server.call("POST", "/v1/sessions", {})
    found, cursor = [], ""
    while True:
        page = server.call("GET", f"/v1/sessions?limit=1&cursor={cursor}").body
        found += [each["id"] for each in page["sessions"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert len(found) == len(set(found)) == 3 and chat["id"] in found
    assert [each["id"] for each in server.call("GET", "/v1/sessions?limit=2").body["sessions"]] == found[:2]


def test_history_continues_after_a_cursor(server: RunningServer, chat: dict[str, Any]) -> None:
    path = f"/v1/sessions/{chat['id']}/history"
    whole = server.call("GET", path).body
    messages = whole["messages"]
    assert set(whole) == {"messages"} and [each["type"] for each in messages].count("user") == 2
    middle = messages[len(messages) // 2]["cursor"]
    newer = server.call("GET", f"{path}?since={middle}").body["messages"]
    older = server.call("GET", f"{path}?before={middle}").body["messages"]
    assert newer == messages[len(messages) // 2 + 1 :]
    assert older == messages[: len(messages) // 2]
    for name in ("since", "before"):
        bad = server.call("GET", f"{path}?{name}=nonsense")
        assert (bad.status, bad.body["error"]) == (400, "invalid_cursor")
    assert server.call("GET", f"/v1/org/sessions/{chat['id']}/history").status == 404


@pytest.mark.parametrize("identity", ["none", "lisa-none", "%00", "..%2F..", "a" * 3000, "%F0%9F%98%80"])
def test_unknown_sessions_are_404(server: RunningServer, identity: str) -> None:
    for path in FAMILIES:
        for method, end in (("GET", ""), ("GET", "/history"), ("DELETE", ""), ("DELETE", "/record")):
            assert server.call(method, f"{path}/{identity}{end}").status == 404, (method, path, end)


@pytest.mark.parametrize(
    ("raw", "status", "error"),
    [
        (b"{broken", 400, "invalid_request"),
        (b"[]", 400, "invalid_request"),
        (b'"text"', 400, "invalid_request"),
        (b'{"a": ' * 70 + b"1" + b"}" * 70, 400, "invalid_request"),
        (b"[" * 300_000, 400, "invalid_request"),
        (b'{"prompt": "' + b"x" * (1 << 20) + b'"}', 413, "too_large"),
        (b'{"prompt": "\\ud800"}', 400, "invalid_request"),
    ],
)
def test_bodies_are_checked_before_anything(server: RunningServer, raw: bytes, status: int, error: str) -> None:
    for path in ("/v1/sessions", "/v1/api/sessions", "/v1/profiles"):
        reply = server.call("POST", path, raw=raw)
        assert (reply.status, reply.body["error"]) == (status, error), reply


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/v1/sessions", {"max_turns": 1.5}, ["max_turns"]),
        ("/v1/sessions", {"max_turns": True}, ["max_turns"]),
        ("/v1/sessions", {"allowed_tools": [1]}, ["allowed_tools[0]"]),
        ("/v1/sessions", {"max_budget_usd": -1}, ["max_budget_usd"]),
        ("/v1/sessions", {"max_turns": 10**30}, ["max_turns"]),
        ("/v1/api/sessions", {"prompt": "x", "profile": []}, ["profile"]),
        ("/v1/api/sessions", {"prompt": "x", "profile": {"environment": {"A": 1}}}, ["profile.environment[...]"]),
        ("/v1/api/sessions", {"prompt": "x", "data": []}, ["data"]),
    ],
)
def test_wrong_types_name_the_field(server: RunningServer, path: str, body: Any, fields: list[str]) -> None:
    reply = server.call("POST", path, body)
    assert (reply.status, reply.body["error"], reply.body["details"]["fields"]) == (422, "validation_failed", fields)


def test_answers_on_an_open_connection_are_sent_without_delay(server: RunningServer) -> None:
    """Head and body of an answer are two packets; the kernel of the client acknowledges the first after 40 ms."""
    took = []
    headers = {"Authorization": f"Bearer {server.key}", "X-LC-OID": server.project_id}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        for _ in range(30):
            began = time.monotonic()
            connection.request("POST", "/commands/version", b"{}", headers)
            assert connection.getresponse().read()
            took.append(time.monotonic() - began)
    assert min(took[-8:]) < 0.03


def test_missing_services_have_a_reason(server: RunningServer) -> None:
    for kind in ("dr", "lcql", "playbook/python"):
        reply = server.call("POST", f"/v1/ai/{kind}", raw=b"query=x")
        assert (reply.status, reply.body["error"]) == (404, "not_found") and "not generated" in reply.body["message"]
    for name in ("rules", "sensors", "groups", "billing"):
        reply = server.call("GET", f"/v1/{name}/{server.project_id}")
        assert (reply.status, reply.body["error"]) == (501, "not_supported") and reply.body["message"]
    assert server.call("POST", "/v1/ai/dr", token="").status == 401
