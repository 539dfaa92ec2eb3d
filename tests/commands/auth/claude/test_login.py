"""lisa auth claude login: the address and the code are relayed, the token goes to the pool."""

from __future__ import annotations

from typing import Any

import pytest

from lisa_py import agents
from tests.lisa_host import LisaHost

CLAUDE_LIKE = """#!/bin/sh
[ "$1" = setup-token ] || exit 2
echo "Browser didn't open? Use the URL below to sign in (c to copy)"
echo "https://claude.ai/oauth/authorize?code=true&state=$HOME"
echo " Paste code here if prompted"
read -r code
case $code in
good*) echo " Your OAuth token (valid for 1 year):"; echo " sk-ant-oat01-planted_token-1"; read -r more ;;
exit) echo "gone away"; exit 1 ;;
*) echo " x OAuth error: Invalid code. Please make sure it was copied."; read -r more ;;
esac
"""


@pytest.fixture(autouse=True)
def fake_claude(machine: LisaHost) -> None:
    machine.add_program("claude", CLAUDE_LIKE)


def login(machine: LisaHost, code: str) -> Any:
    answer = machine.lisa("auth", "claude", "login", "--json", stdin=code)
    assert not list(machine.sockets.glob("lisa-login-*"))
    return answer


def test_token_of_the_login_replaces_the_stored_key(machine: LisaHost) -> None:
    machine.lisa("auth", "claude", "set-key", "--key-from-stdin", stdin="sk-ant-api03-old")
    answer = login(machine, "good#state\n")
    assert answer.code == 0, answer
    assert f"https://claude.ai/oauth/authorize?code=true&state={machine.home}" in answer.err.splitlines()
    assert "planted" not in answer.out + answer.err
    pool = machine.lisa("oauth", "list", "--json").json["tokens"]
    assert [token["id"] for token in pool] == [answer.json["oauthTokenId"]]
    assert machine.lisa("auth", "claude", "status", "--json").json["credential_type"] == "oauth_token"


@pytest.mark.parametrize(("code", "reason"), [("bad", "Invalid code"), ("exit", "gone away"), ("", "no code")])
def test_login_that_fails_stores_nothing(machine: LisaHost, code: str, reason: str) -> None:
    answer = login(machine, f"{code}\n")
    assert answer.json["errorCode"] == "auth_login_failed" and reason in answer.json["error"]
    assert not machine.lisa("auth", "claude", "status", "--json").json["has_credentials"]


def test_long_path_of_the_sockets_is_avoided(machine: LisaHost) -> None:
    long = machine.folder / ("d" * 90)
    long.mkdir()
    machine.env["LISA_TMUX_SOCKET_DIR"] = str(long)
    assert login(machine, "good\n").code == 0
    assert not list(long.iterdir()) and not list((machine.folder / "shared").glob("lisa-login-*"))


def test_missing_claude_is_named(machine: LisaHost) -> None:
    (machine.bin / "claude").unlink()
    machine.env["PATH"] = f"{machine.bin}:/usr/bin:/bin"
    assert login(machine, "").json["errorCode"] == "agent_not_installed"


def test_screen_of_the_login_is_read() -> None:
    claude = agents.get("claude")
    error = " ✘ OAuth error: Couldn't get an answer. Try again.\n Press Enter to retry"
    assert claude.read_login_screen(error).error == "Couldn't get an answer. Try again."
    shown = claude.read_login_screen("Browser didn't open?\nhttps://claude.ai/oauth/authorize?a=b&c=d_e\n Hold Shift")
    assert (shown.url, shown.token, shown.error) == ("https://claude.ai/oauth/authorize?a=b&c=d_e", "", "")
