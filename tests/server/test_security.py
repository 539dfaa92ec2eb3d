"""Callers without rights, pages in a browser, other users of the machine: on every route."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from lisa_py.server.route import Route
from lisa_py.server.routes import list_routes
from tests.lisa_host import LisaHost
from tests.server.route_calls import call_route, list_guarded
from tests.server_kit import RunningServer, serving
from tests.session_harness import SessionHarness


def name_route(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_no_route_answers_without_a_token(server: RunningServer) -> None:
    for route in list_guarded():
        for token in ("", "wrong", "a.b.c"):
            reply = call_route(server, route, raw=b"{broken", token=token)
            assert (reply.status, reply.body["error"]) == (401, "unauthorized"), name_route(route)


def test_open_routes_are_few() -> None:
    assert {name_route(route) for route in list_routes() if route.access == "open"} <= {
        "GET /openapi",
        "POST /jwt",
        "GET /v1/orgs/{oid}/url",
        "PUT /v1/io/uploads/{token}",
        "GET /v1/io/downloads/{token}",
    }


def test_acting_routes_refuse_a_read_token(server: RunningServer) -> None:
    token = server.mint(scope="read")
    for route in list_guarded():
        if route.method != "GET" and not route.path.startswith("/commands/"):
            assert route.scope == "control", name_route(route)
        if route.scope == "control":
            for used in (token, server.read_key):
                reply = call_route(server, route, raw=b"{broken", token=used)
                assert (reply.status, reply.body["error"]) == (403, "forbidden"), name_route(route)


def test_pages_and_foreign_hosts_reach_no_route(server: RunningServer) -> None:
    for route in list_routes():
        for headers, status in (
            ({"Host": "evil.example"}, 421),
            ({"Host": f"localhost.evil.example:{server.port}"}, 421),
            ({"Origin": "null"}, 403),
            ({"Origin": f"http://127.0.0.1:{server.port}"}, 403),
            ({"Origin": "https://evil.example", "Access-Control-Request-Method": route.method}, 403),
        ):
            reply = call_route(server, route, headers=headers)
            assert reply.status == status, (name_route(route), headers)
            assert not [name for name in reply.headers if name.startswith("access-control-")]
    reply = server.call("OPTIONS", "/v1/who", headers={"Origin": "null", "Access-Control-Request-Method": "GET"})
    assert reply.status == 403


def test_cors_names_only_the_allowed_origin() -> None:
    machine = LisaHost()
    try:
        with serving(machine, "--allow-origin", "https://app.example") as server:
            allowed = server.call("GET", "/v1/who", headers={"Origin": "https://app.example"})
            assert allowed.status == 200
            assert allowed.headers["access-control-allow-origin"] == "https://app.example"
            assert allowed.headers["access-control-expose-headers"] == "Retry-After, Lisa-Exit-Code"
            assert "access-control-allow-credentials" not in allowed.headers
            for origin in ("https://app.example.evil", "http://app.example", "null", ""):
                refused = server.call("GET", "/v1/who", headers={"Origin": origin})
                assert refused.status == 403 and "access-control-allow-origin" not in refused.headers, origin
    finally:
        machine.close()


def test_token_in_the_query_is_for_sockets_only(server: RunningServer) -> None:
    assert server.call("GET", f"/v1/who?token={server.key}", token="").status == 401
    assert server.call("GET", "/v1/who", token="", headers={"Cookie": f"token={server.key}"}).status == 401


def test_token_cannot_choose_its_algorithm_or_scope(server: RunningServer) -> None:
    import jwt

    claims = {"exp": 4_000_000_000, "scope": "control", "oid": server.project_id}
    forged = [
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims, server.key.ljust(32, "x"), algorithm="HS256"),
        server.mint()[:-2],
        server.mint().replace(".", "..", 1),
    ]
    for token in forged:
        assert server.call("GET", "/v1/who", token=token).status == 401
    raised = jwt.decode(server.mint(scope="read"), options={"verify_signature": False})
    assert raised["scope"] == "read" and raised["exp"] - raised["iat"] <= 3600


def test_sessions_of_the_other_family_do_not_exist(server: RunningServer) -> None:
    stage = SessionHarness(server.machine, "lisa-family-1").spawn()
    identity = server.call("GET", f"/v1/org/sessions/{stage.name}").body["session"]["id"]
    for route in list_guarded():
        if route.path.startswith("/v1/sessions/{id}") and route.body is None and "fork" not in route.path:
            reply = call_route(server, route, identity)
            assert reply.status == 404, name_route(route)
    assert server.call("GET", f"/v1/org/sessions/{identity}").body["session"]["status"] == "running"


def test_state_and_socket_are_private() -> None:
    machine = LisaHost()
    path = Path(machine.folder) / "serve.sock"
    try:
        with serving(machine, "--socket", str(path)) as server:
            folder = Path(machine.context().settings.state_dir)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            for file in [server.ready_file, *folder.rglob("*")]:
                wanted = 0o700 if file.is_dir() else 0o600
                assert stat.S_IMODE(file.lstat().st_mode) == wanted, file
            with socket.create_connection(("127.0.0.1", server.port)) as probe:
                assert probe.getpeername()[0] == "127.0.0.1"
            assert list_listeners(server.process.pid) == {"0100007F"}
        assert not path.exists()
    finally:
        machine.close()


def list_listeners(pid: int) -> set[str]:
    """Return the addresses, in hex, on which a process listens."""
    handles = {os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    rows += [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in handles}


def test_log_has_no_token_prompt_or_body(server: RunningServer) -> None:
    token = server.mint()
    private = "words-of-a-prompt"
    server.call("POST", "/commands/session/send", {"session": "lisa-none", "text": private})
    server.call("GET", f"/v1/who?token={token}&text={private}", token="")
    server.call("POST", "/jwt", raw=f"secret={private}".encode(), token="")
    server.call("GET", f"/v1/org/sessions/{private}", token=private)
    log = server.error_file.read_text()
    assert "listening on" in log
    for word in (server.key, server.read_key, token, private):
        assert word not in log


@pytest.mark.parametrize("scope", ["read", "control"])
def test_key_of_the_client_environment_has_its_scope(server: RunningServer, scope: str) -> None:
    printed = server.machine.lisa("serve", "--client-env", "--scope", scope, check_schema=False).out
    values = dict(line.split("=", 1) for line in printed.splitlines())
    assert values["LC_API_KEY"] == (server.key if scope == "control" else server.read_key)
    assert (values["LC_API_URL"], values["LC_OID"]) == (server.url, server.project_id)
