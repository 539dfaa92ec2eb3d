"""A secret of every kind reaches its agent, and is in no file, process, frame or answer besides."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from lisa_py import commands
from lisa_py.contract.session_settings import HIDDEN_VALUE
from lisa_py.server.routes import list_routes
from tests import secret_search
from tests.lisa_host import LisaHost
from tests.server.route_calls import fill_path
from tests.server_kit import RunningServer, serving
from tests.session_harness import SessionHarness

CLAUDE_LIKE = """#!/bin/sh
case $1 in
--version) echo "2.1.332 (Claude Code)" ;;
--help) echo "  --settings --mcp-config --append-system-prompt --permission-mode" ;;
*) echo "given $REFERENCE $AWS_SECRET_ACCESS_KEY $AWS_BEARER_TOKEN_BEDROCK $CLAUDE_CODE_OAUTH_TOKEN"
   cat "$LISA_SESSION_DIR"/secrets/* 2>/dev/null; echo; echo "plain ${#PLAIN}"; read -r line ;;
esac
"""
KINDS = (
    "api-key", "environment", "header", "mcp-env", "aws-secret", "aws-session", "aws-bearer", "vertex", "token",
    "reference", "profile-environment", "profile-header", "chat-key",
)  # fmt: skip
PROMPT = "words-of-the-prompt"
PLANTED = {kind: f"planted-{kind}-0123456789-{kind[::-1]}" for kind in KINDS}
STORES = {
    "reference": "/secrets",
    "token": "/oauth_tokens.json",
    "profile-environment": "/profiles.json",
    "profile-header": "/profiles.json",
    "chat-key": "/credentials",
}
"""The user's own records, by the secret that they keep."""
PROFILE = {
    "name": "planted",
    "environment": {"P": PLANTED["profile-environment"]},
    "mcp_servers": {"own": {"url": "http://127.0.0.1:1", "headers": {"X": PLANTED["profile-header"]}}},
}
SKIPPED = [("session", "wait"), ("session", "monitor"), ("session", "schema"), ("capabilities",)]
"""Commands that wait, or describe lisa itself."""
STARTS: dict[tuple[str, ...], dict[str, Any]] = {
    ("api-key", "environment", "reference", "header", "mcp-env"): {
        "credentials": {"api_key": PLANTED["api-key"]},
        "profile": {
            "one_shot": False,
            "environment": {"PLAIN": PLANTED["environment"], "REFERENCE": "secret://planted"},
            "mcp_servers": {
                "web": {"url": "http://127.0.0.1:1", "headers": {"X": PLANTED["header"]}},
                "local": {"command": "x", "env": {"T": PLANTED["mcp-env"]}},
            },
        },
    },
    ("aws-secret", "aws-session", "aws-bearer"): {
        "bedrock": {"region": "eu", "access_key_id": "AKIA", "secret_access_key": PLANTED["aws-secret"],
                    "session_token": PLANTED["aws-session"], "bearer_token": PLANTED["aws-bearer"]},
    },
    ("vertex",): {
        "vertex": {"project_id": "p", "region": "eu",
                   "service_account_json": json.dumps({"private_key": PLANTED["vertex"]}, indent=1)},
    },
    ("token",): {"anthropic_key": ""},
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    machine = LisaHost()
    machine.add_program("claude", CLAUDE_LIKE)
    try:
        with serving(machine, "--max-creations", "0") as running:
            running.register()
            yield running
    finally:
        machine.close()


def start_sessions(server: RunningServer) -> dict[str, str]:
    """Start a session for every kind of secret, and a chat; return the names of the sessions by kind."""
    stored = urlencode({"data": json.dumps({"secret": PLANTED["reference"]})}).encode()
    assert server.call("POST", f"/v1/hive/secret/{server.project_id}/planted/data", raw=stored).status == 200
    server.machine.lisa("oauth", "add", "--stdin", "--json", stdin=PLANTED["token"])
    assert server.call("POST", "/v1/auth/claude/apikey", {"api_key": PLANTED["chat-key"]}).status == 200
    assert server.call("POST", "/v1/profiles", PROFILE).status == 201
    found = {}
    for kinds, more in STARTS.items():
        made = server.call("POST", "/v1/api/sessions", {"prompt": PROMPT, "provider": "anthropic", **more})
        assert made.status == 201, made
        found |= dict.fromkeys(kinds, made.body["session"])
    made = server.call("POST", "/v1/sessions", {"profile_id": "planted", "agent": "claude"})
    assert made.status == 201, made
    found |= dict.fromkeys(("profile-environment", "profile-header", "chat-key"), made.body["session"]["lisa_session"])
    assert set(found) == set(PLANTED)
    return found


def read_answers(server: RunningServer, names: set[str], queried: str) -> dict[str, str]:
    """Return what a client that may only read gets: every route and command, the frames of all sessions."""
    read = server.mint(scope="read")
    found, paths = {}, []
    for name in names:
        paths += [f"/v1/{family}sessions/{name}{end}" for family in ("", "org/") for end in ("", "/history")]
        with server.connect(name, family="org", token=read) as reader:
            reader.read_until("session_status")
        found[f"frames of {name}"] = json.dumps(reader.frames, ensure_ascii=False)
        shown = server.call("POST", "/commands/session/capture", {"session": name}, token=read).body
        assert HIDDEN_VALUE in str(shown) and "plain" in str(shown), shown
        found[f"capture of {name}"] = json.dumps(shown, ensure_ascii=False)
    for route in list_routes():
        if route.method == "GET" and route.access != "open" and "/hive/secret" not in route.path:
            paths.append(fill_path(route, queried).replace("/hive/none", "/hive/secret"))
    paths += [f"/v1/hive/secret/{server.project_id}", f"/v1/hive/secret/{server.project_id}?limit=9"]
    found |= {path: json.dumps(server.call("GET", path, token=read).body, ensure_ascii=False) for path in paths}
    for words in commands.paths():
        command = commands.load(words)
        if command is None or not command.reads or command.live or words in SKIPPED:
            continue
        given = {"session": queried} if any(field.name == "session" for field in command.fields) else {}
        answer = server.call("POST", f"/commands/{'/'.join(words)}", given, token=read)
        found["/".join(words)] = json.dumps(answer.body, ensure_ascii=False)
    return found


def list_leaks(texts: dict[str, str], owners: dict[str, str]) -> dict[str, list[str]]:
    """Return the places that hold a secret and are neither its own record nor a private file of its session."""
    leaks = {}
    for place, kinds in secret_search.find_in(texts, PLANTED).items():
        session = secret_search.PRIVATE.search(place)
        leaked = [
            kind
            for kind in kinds
            if not (session and session[1] == owners.get(kind)) and not place.endswith(STORES.get(kind, "!"))
        ]
        if leaked:
            leaks[place] = leaked
    return leaks


def test_secrets_are_only_with_their_agents(server: RunningServer) -> None:
    owners = start_sessions(server)
    stages = {name: SessionHarness(server.machine, name) for name in set(owners.values())}
    for stage in stages.values():
        stage.wait_for_text(f"plain {len(PLANTED['environment']) if stage.name == owners['environment'] else 0}")
    for kind, name in owners.items():
        if kind not in ("environment", "profile-environment", "aws-session"):
            assert PLANTED[kind] in stages[name].screen().replace("\n", ""), kind
    texts = secret_search.read_files(server.machine) | secret_search.read_processes(server.machine)
    private = [place for place in texts if secret_search.PRIVATE.search(place)]
    assert len(private) >= len(stages) and "listening on" in texts[str(server.error_file)]
    for place in private:
        assert stat.S_IMODE(os.stat(place).st_mode) == 0o600, place
    for stage in stages.values():
        shown = secret_search.read_tmux(stage)
        assert not [call for call, text in shown.items() if PROMPT in text]  # it travels by file
        texts |= {f"{stage.name}: {call}": text for call, text in shown.items()}
    answers = read_answers(server, set(stages), owners["reference"])
    assert len(answers) > 60 and sum(HIDDEN_VALUE in text for text in answers.values()) > 3
    assert list_leaks(texts | answers, owners) == {}
    for stage in stages.values():
        stage.lisa("kill")
    texts = secret_search.read_files(server.machine) | secret_search.read_processes(server.machine)
    ended = server.call("GET", "/v1/org/sessions?status=ended").body
    assert len(ended["sessions"]) == len(stages) - 1
    histories = [server.call("GET", f"/v1/org/sessions/{each['id']}/history").body for each in ended["sessions"]]
    assert list_leaks({**texts, "ended": json.dumps([ended, histories], ensure_ascii=False)}, {}) == {}
