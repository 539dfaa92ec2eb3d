"""Credentials over the API: keys, spellings, logins in a browser; no answer and no log has a secret."""

from __future__ import annotations

from typing import Any

import pytest

from tests.commands.auth.claude.test_login import CLAUDE_LIKE
from tests.polling import wait_until
from tests.server_kit import RunningServer

CLAUDE = "/v1/auth/claude"
CLIENT = {"User-Agent": "lc-cli/5.10.1;python-3.11.7"}
NONE = {"has_credentials": False, "credential_type": None, "created_at": None}


@pytest.fixture(autouse=True)
def no_credentials(server: RunningServer) -> None:
    server.machine.add_program("claude", CLAUDE_LIKE)
    server.call("DELETE", CLAUDE)
    for token in server.machine.lisa("oauth", "list", "--json").json["tokens"]:
        assert server.machine.lisa("oauth", "remove", "--id", token["id"]).code == 0


def test_key_is_stored_spelled_and_removed(server: RunningServer) -> None:
    assert server.call("GET", f"{CLAUDE}/status").body == NONE
    stored = server.call("POST", f"{CLAUDE}/apikey", {"api_key": "planted-key-771"})
    assert stored.body == {"success": True, "message": "credential stored"}
    for headers, kind in ((CLIENT, "apikey"), ({}, "api_key")):
        found = server.call("GET", f"{CLAUDE}/status", headers=headers).body
        assert (found["has_credentials"], found["credential_type"]) == (True, kind) and found["created_at"]
    assert server.machine.lisa("auth", "claude", "status", "--json").json["credential_type"] == "apikey"
    removed = server.call("DELETE", CLAUDE)
    assert removed.body == {"success": True, "message": "key removed"}
    assert server.call("GET", f"{CLAUDE}/status").body == NONE
    assert "planted" not in server.error_file.read_text()


@pytest.mark.parametrize("key", ["", "  ", "two words", 5])
def test_malformed_key_is_refused(server: RunningServer, key: Any) -> None:
    reply = server.call("POST", f"{CLAUDE}/apikey", {"api_key": key})
    assert (reply.status, reply.body["error"], reply.body["details"]["fields"]) == (
        422,
        "validation_failed",
        ["api_key"],
    )


def test_login_is_relayed(server: RunningServer) -> None:
    begun = server.call("POST", f"{CLAUDE}/start", raw=b"").body
    assert begun["expires_in"] == 300 and begun["oauth_session_id"]
    path = f"{CLAUDE}/url?session_id={begun['oauth_session_id']}"
    assert server.call("GET", path).body["status"] in ("pending", "url_ready")
    wait_until(lambda: server.call("GET", path).body["status"] == "url_ready", what="the address")
    found = server.call("GET", path, headers=CLIENT).body
    assert found["status"] == "ready" and found["url"].startswith("https://claude.ai/oauth/authorize?")
    sent = {"session_id": begun["oauth_session_id"], "code": "good#state"}
    done = server.call("POST", f"{CLAUDE}/code", sent)
    assert (done.status, done.body["success"], done.body["status"]) == (200, True, "completed")
    status = server.call("GET", f"{CLAUDE}/status").body
    assert (status["has_credentials"], status["credential_type"]) == (True, "oauth_token")
    again = server.call("POST", f"{CLAUDE}/code", sent)
    assert (again.status, again.body["error"]) == (404, "login_not_found")
    assert "planted" not in str(done.body) + str(status) + server.error_file.read_text()
    assert not list(server.machine.sockets.glob("lisa-login-*"))


def test_failed_logins_have_a_reason(server: RunningServer) -> None:
    begun = server.call("POST", f"{CLAUDE}/start", raw=b"").body["oauth_session_id"]
    path = f"{CLAUDE}/url?session_id={begun}"
    wait_until(lambda: server.call("GET", path).body["status"] == "url_ready", what="the address")
    empty = server.call("POST", f"{CLAUDE}/code", {"session_id": begun, "code": " "})
    assert (empty.status, empty.body["details"]["fields"]) == (422, ["code"])
    refused = server.call("POST", f"{CLAUDE}/code", {"session_id": begun, "code": "bad"})
    assert (refused.status, refused.body["success"]) == (200, False) and "Invalid code" in refused.body["message"]
    assert "error" not in refused.body  # the client would show its code instead of the reason
    assert server.call("GET", path).body["status"] == "failed"
    assert server.call("GET", f"{CLAUDE}/url?session_id=none").status == 404


def test_open_logins_are_limited(server: RunningServer) -> None:
    replies = [server.call("POST", f"{CLAUDE}/start", raw=b"") for _ in range(5)]
    assert [reply.status for reply in replies].count(429) >= 1
    refused = next(reply for reply in replies if reply.status == 429)
    assert refused.body["error"] == "rate_limited" and int(refused.headers["retry-after"]) > 0


def test_other_providers_are_stored_and_listed(server: RunningServer) -> None:
    path = "/v1/credentials"
    assert server.call("GET", path).body["providers"] == {
        name: {"has_credentials": False} for name in ("anthropic", "openai", "google", "openrouter")
    }
    vertex = {"project_id": "p", "region": "r", "service_account_json": '{"private_key": "planted-vertex-1"}'}
    azure = {"endpoint": "https://e", "deployment_name": "d", "api_version": "1", "api_key": "planted-azure-1"}
    for place, body, kind in (
        ("openai", {"api_key": "planted-openai-1", "org_id": "o"}, "api_key"),
        ("openai/azure", azure, "azure"),
        ("google/vertex", vertex, "vertex"),
        ("openrouter", {"api_key": "planted-router-1"}, "api_key"),
    ):
        assert server.call("POST", f"{path}/{place}", body).body["success"] is True
        shown = server.call("GET", path).body["providers"][place.partition("/")[0]]
        assert (shown["has_credentials"], shown["type"]) == (True, kind) and shown["created_at"]
    missing = server.call("POST", f"{path}/openai/azure", {**azure, "endpoint": ""})
    assert (missing.status, missing.body["details"]["fields"]) == (422, ["endpoint"])
    for provider in ("openai", "google", "openrouter"):
        assert server.call("DELETE", f"{path}/{provider}").body == {"success": True, "message": "credential removed"}
    assert server.call("DELETE", f"{path}/google").body["message"] == "no credential was stored"
    assert "planted" not in server.error_file.read_text()
