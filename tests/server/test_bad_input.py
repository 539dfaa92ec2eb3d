"""Invalid input: a matching status, never a 500, and nothing is created."""

from __future__ import annotations

import http.client
import json
import re
import socket
from typing import Any

import msgspec
import psutil
import pytest

from lisa_py.server import bodies
from lisa_py.server.routes import list_routes
from tests.lisa_host import LisaHost
from tests.server.route_calls import call_route, list_with_body, list_wrong_bodies
from tests.server_kit import RunningServer, serving
from tests.session_harness import SessionHarness

MIB = 1 << 20
WORDS = (
    "%00",
    "..%2f..%2fetc%2fpasswd",
    "%ff%fe",
    "a" * 5000,
    "-",
    "%20",
    "%F0%9F%92%A5",
    "%2e%2e",
    "{id}",
    "%0d%0aX:%20y",
)


def test_body_without_a_json_object_is_invalid(server: RunningServer) -> None:
    deep = b'{"a":' * (bodies.MAX_DEPTH + 1) + b"1" + b"}" * (bodies.MAX_DEPTH + 1)
    texts = (b"{broken", b"[]", b"5", b'"x"', b"null", b'{"a":"\xff"}', b'{"a":1e999}', b'{"a":"\\ud800"}', deep)
    for route in list_with_body():
        for text in (*texts, b"[" * 100_000):
            reply = call_route(server, route, raw=text)
            assert (reply.status, reply.body["error"]) == (400, "invalid_request"), (route.path, text[:20])
    for text in texts:
        assert server.call("POST", "/commands/version", raw=text).status == 400, text[:20]


def test_value_of_a_wrong_type_is_named(server: RunningServer) -> None:
    for route in list_with_body():
        assert route.body is not None
        for name, body in list_wrong_bodies(route.body):
            reply = call_route(server, route, body=body)
            assert (reply.status, reply.body["error"]) == (422, "validation_failed"), (route.path, body)
            assert reply.body["details"]["fields"][0].startswith(name), (route.path, body)


def test_large_body_is_refused_before_it_is_read(server: RunningServer) -> None:
    for lines in (
        [f"Content-Length: {MIB + 1}", "", ""],
        ["Transfer-Encoding: chunked", "", *(["10000", "x" * 0x10000] * 17)],
    ):
        head = [
            "POST /commands/version HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            f"Authorization: Bearer {server.key}",
        ]
        answer = _talk(server, "\r\n".join([*head, *lines]).encode())
        assert answer.split()[1] == b"413", answer
    body = json.dumps({"wrong": "x" * (MIB - 100)}).encode()
    assert server.call("POST", "/commands/version", raw=body).status == 422


def test_large_header_is_refused(server: RunningServer) -> None:
    head = f"GET /v1/who HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nX-Long: {'x' * 20_000}\r\n\r\n"
    assert _talk(server, head.encode()).split()[1] == b"431"
    for text in (
        b"nonsense\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\r\n\r\n",
    ):
        assert _talk(server, text).split()[1:2] in ([b"400"], []), text
    assert server.call("GET", "/v1/who").status == 200


def _talk(server: RunningServer, sent: bytes) -> bytes:
    """Return the answer to bytes; the server may close before it has read all."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        try:
            connection.sendall(sent)
        except OSError:
            pass
        try:
            return connection.recv(65536)
        except ConnectionResetError:
            return b""


def test_malformed_paths_and_queries_are_refused(server: RunningServer) -> None:
    for route in list_routes():
        if "{" not in route.path and not route.query:
            continue
        for word in WORDS:
            query = "?" + "&".join(f"{name}={word}" for name in route.query) if route.query else ""
            reply = server.call(route.method, _fill(route.path, word) + query, body={} if route.body else None)
            assert reply.status < 500 or route.tag == "absent", (route.method, route.path, word, reply.body)


def _fill(path: str, word: str) -> str:
    return re.sub(r"\{\w+(:path)?\}", word, path)


@pytest.mark.parametrize("value", ["\x00", "\x1b[2J", "\u202e", "../../x", "x" * 100_000, "💥", " "])
def test_unusual_texts_in_bodies_are_no_failure(server: RunningServer, value: str) -> None:
    before = server.call("GET", "/v1/org/sessions").body["sessions"]
    for route in list_with_body():
        assert route.body is not None
        for name in _list_texts(route.body):
            if name not in ("prompt", "initial_prompt"):
                reply = call_route(server, route, body={name: value})
                assert reply.status < 500, (route.path, name, reply.body)
    assert server.call("GET", "/v1/org/sessions").body["sessions"] == before


def _list_texts(kind: Any) -> list[str]:
    """Return the fields that take any text."""
    found = []
    for field in msgspec.structs.fields(kind):
        try:
            msgspec.convert("any", field.type, strict=True)
        except msgspec.ValidationError:
            continue
        found.append(field.encode_name)
    return found


def test_page_values_are_clamped_or_refused(server: RunningServer) -> None:
    SessionHarness(server.machine, "lisa-page-1").spawn()
    for family in ("/v1/org/sessions", "/v1/sessions"):
        for limit in ("0", "-5", "201", "999999999999999999999", "x", "1.5", ""):
            assert server.call("GET", f"{family}?limit={limit}").status == 200, limit
        for cursor in ("!", "x" * 3000, "AAAA", "bnVsbA", "W10", "%00", "W251bGwsbnVsbF0"):
            reply = server.call("GET", f"{family}?cursor={cursor}")
            assert (reply.status, reply.body["error"]) == (400, "invalid_cursor"), cursor
        reply = server.call("GET", f"{family}?status=none")
        assert (reply.status, reply.body["error"]) == (422, "invalid_session_status")
    for cursor in ("!", "%00", "x" * 3000):
        assert server.call("GET", f"/v1/org/sessions/lisa-page-1/history?before={cursor}").status == 400


def test_full_disk_is_no_failure_of_the_server() -> None:
    machine = LisaHost()
    try:
        with serving(machine) as server:
            process = psutil.Process(server.process.pid)
            hard = process.rlimit(psutil.RLIMIT_FSIZE)[1]
            process.rlimit(psutil.RLIMIT_FSIZE, (0, hard))
            for path, body, code in (
                ("/commands/session/spawn", {"session": "lisa-full-1", "command": "true"}, "store_unwritable"),
                ("/commands/secret/set", {"name": "full", "stdin": "value"}, "secret_store_write_failed"),
                ("/commands/session/objective", {"id": "a", "goal": "x"}, "objective_store_write_failed"),
            ):
                reply = server.call("POST", path, body)
                assert (reply.status, reply.body["error"]) == (409, code), (path, reply.body)
            process.rlimit(psutil.RLIMIT_FSIZE, (hard, hard))
            assert server.call("GET", "/v1/org/sessions").body["sessions"] == []
    finally:
        machine.close()


def test_unreadable_records_are_no_failure_of_the_server() -> None:
    machine = LisaHost()
    try:
        stage = SessionHarness(machine, "lisa-broken-1").spawn()
        with serving(machine) as server:
            identity = server.call("GET", f"/v1/org/sessions/{stage.name}").body["session"]["id"]
            for file in sorted(
                p for p in machine.folder.joinpath("state").rglob("*.json") if p.parent.name == stage.name
            ):
                kept = file.read_bytes()
                for content in (b"", b"{", b"[]", b'{"id": 5}', b"\xff\x00"):
                    file.write_bytes(content)
                    for path in ("", f"/{stage.name}", f"/{identity}", f"/{identity}/history"):
                        reply = server.call("GET", f"/v1/org/sessions{path}")
                        assert reply.status in (200, 404, 409), (file.name, content, path, reply.body)
                    file.write_bytes(kept)
    finally:
        machine.close()


def test_early_end_of_a_connection_affects_no_other(server: RunningServer) -> None:
    for length in ("5", "999999"):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.putrequest("POST", "/commands/version")
        connection.putheader("Authorization", f"Bearer {server.key}")
        connection.putheader("Content-Length", length)
        connection.endheaders(b"{")
        connection.close()
    assert server.call("POST", "/commands/version").status == 200
    assert "Traceback" not in server.error_file.read_text()
