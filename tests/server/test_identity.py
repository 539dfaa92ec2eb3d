"""Discovery, tokens, and what a caller without rights gets."""

from __future__ import annotations

import jwt
import pytest

from tests.server_kit import RunningServer


def test_address_needs_no_token(server: RunningServer) -> None:
    for oid in ("x", server.project_id):
        assert server.call("GET", f"/v1/orgs/{oid}/url", token="").body == {"url": {"ai": server.url}}


def test_token_has_the_rights_of_its_key(server: RunningServer) -> None:
    for scope, may in (("control", True), ("read", False)):
        token = server.mint(scope=scope)
        who = server.call("GET", "/v1/who", token=token).body
        assert ("ai_agent.set" in who["perms"]) is may
        assert who["orgs"] == [server.project_id]
        assert server.call("POST", "/commands/session/kill-all", token=token).status == (200 if may else 403)


@pytest.mark.parametrize("token", ["", "wrong", "eyJhbGciOiJub25lIn0.eyJzY29wZSI6ImNvbnRyb2wifQ."])
def test_wrong_token_is_refused_before_anything(server: RunningServer, token: str) -> None:
    for method, path in (("GET", "/v1/who"), ("GET", "/v1/org/sessions/none"), ("POST", "/commands/version")):
        reply = server.call(method, path, raw=b"{broken", token=token)
        assert (reply.status, reply.body["error"]) == (401, "unauthorized")


def test_forged_and_expired_tokens_are_refused(server: RunningServer) -> None:
    claims = {"exp": 4_000_000_000, "scope": "control", "oid": server.project_id}
    forged = jwt.encode(claims, "other-key-of-sufficient-length-for-hs256", algorithm="HS256")
    expired = f"secret={server.key}&oid=-&expiry=1000"
    for token in (forged, server.call("POST", "/jwt", raw=expired.encode(), token="").body["jwt"]):
        assert server.call("GET", "/v1/who", token=token).status == 401


def test_foreign_host_and_origin_are_refused(server: RunningServer) -> None:
    for headers, status, code in (
        ({"Host": "evil.example"}, 421, "foreign_host"),
        ({"Host": "127.0.0.1.evil.example"}, 421, "foreign_host"),
        ({"Host": f"127.0.0.1:{server.port + 1}"}, 421, "foreign_host"),
        ({"Origin": "http://evil.example"}, 403, "foreign_origin"),
        ({"Origin": "null"}, 403, "foreign_origin"),
    ):
        reply = server.call("GET", "/v1/who", headers=headers)
        assert (reply.status, reply.body["error"]) == (status, code)
        assert "access-control-allow-origin" not in reply.headers


def test_unknown_routes_and_methods_are_named(server: RunningServer) -> None:
    assert server.call("GET", "/v1/none").status == 404
    assert server.call("PUT", "/v1/who").status == 405
