"""Setting rejected OAuth tokens aside: only the right one, only on exact evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from lisa_py import agents
from lisa_py.contract.status import AgentReport, Status
from lisa_py.core.status.refused_token import find_auth_failure, set_aside
from lisa_py.host import files
from lisa_py.store import events, oauth_tokens, session_records
from tests.core.status import status_cases
from tests.fleet import Fleet
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness

CLAUDE = agents.get("claude")
START = "__LISA_SESSION_START__:1:2\n"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("invalid_grant: Invalid refresh token", "invalid_refresh_token"),
        ("Error: OAuth token refresh failed: the token has expired", "expired_token"),
        ("Auth error: OAuth token refresh failed: 500", "refresh_failed"),
        ("Auth(TokenRefreshFailed(Expired))", "expired_token"),
        ("Auth(TokenRefreshFailed(Network))", "refresh_failed"),
        ("OAuth: expired token", "expired_token"),
        ("oauth error invalid_token", "invalid_token"),
        ("all is well", ""),
        ("we talked of oauth, and of much else in between, and then of an expired token", ""),
        ("> why does it say invalid_grant: invalid refresh token?", ""),
        ("● The log has `invalid_grant: invalid refresh token` in it.", ""),
    ],
)
def test_token_failure_is_not_found_in_conversation(line: str, why: str) -> None:
    assert find_auth_failure(START + line + "\n", CLAUDE.token_failures, CLAUDE.layout()) == why


def test_text_before_the_start_does_not_count() -> None:
    text = "invalid_grant: invalid refresh token\n" + START + "fine\n"
    assert find_auth_failure(text, CLAUDE.token_failures, CLAUDE.layout()) == ""


def pooled(machine: LisaHost, name: str = "lisa-pooled", **changes: Any) -> tuple[SessionHarness, str]:
    """A session with the second of two pooled tokens."""
    stage = SessionHarness(machine, name)
    now = stage.ctx.clock.now()
    for secret in ("one", "two"):
        token = oauth_tokens.add(stage.ctx.settings, now, token=secret).id
    Path(stage.ref.folder).mkdir(parents=True)
    session_records.write_meta(stage.ref, status_cases.meta(session=name, oauth_token_id=token, **changes))
    return stage, token


def disabled(stage: SessionHarness) -> list[str]:
    return [token.id for token in oauth_tokens.list_tokens(stage.ctx.settings, 0) if token.disabled is True]


def saw(stage: SessionHarness, status: Status, **more: Any) -> Status:
    meta = session_records.read_meta(stage.ref)
    evidence = status_cases.live_session(meta=meta, state=session_records.read_state(stage.ref), **more)
    return set_aside(stage.ctx, stage.ref, evidence, structs.replace(status, session=stage.name))


REFUSED = Status(
    session="", agent="claude", session_state="waiting_input", status="idle", agent_state="error", error_kind="auth"
)


def test_scenario_5_only_the_session_token_is_set_aside(machine: LisaHost) -> None:
    stage, token = pooled(machine)
    saw(stage, REFUSED)
    assert disabled(stage) == [token]
    assert session_records.read_state(stage.ref).oauth_token_prune_reason == "invalid_token"
    assert "oauth_token_pruned_invalid_token" in [event.reason for event in events.read_tail(stage.ref, 9).events]


def test_restored_token_is_not_set_aside_again(machine: LisaHost) -> None:
    stage, token = pooled(machine)
    saw(stage, REFUSED)
    oauth_tokens.enable(stage.ctx.settings, 0, token)
    saw(stage, REFUSED)
    assert disabled(stage) == []


def test_crash_reason_names_the_token_failure(machine: LisaHost) -> None:
    stage, _ = pooled(machine)
    crashed = Status(
        session="", session_state="crashed", status="idle", classification_reason="done_file", error_kind="auth"
    )
    assert saw(stage, crashed).classification_reason == "oauth_invalid_token"


def test_other_errors_do_not_set_tokens_aside(machine: LisaHost) -> None:
    stage, _ = pooled(machine)
    saw(stage, structs.replace(REFUSED, error_kind="rate_limit"))
    other, _ = pooled(machine, "lisa-other", agent="codex")
    saw(other, REFUSED)
    own, _ = pooled(machine, "lisa-own", custom_command=True)
    saw(own, REFUSED)
    assert disabled(stage) == []


def test_failure_before_the_token_was_enabled_does_not_count(machine: LisaHost) -> None:
    stage, token = pooled(machine)
    now = stage.ctx.clock.now()
    oauth_tokens.enable(stage.ctx.settings, now, token)
    failed = AgentReport(source="transcript", state="error", error="auth", at=now - 60)
    saw(stage, REFUSED, reports=(failed,))
    assert disabled(stage) == []
    saw(stage, REFUSED, reports=(structs.replace(failed, at=now + 60),))
    assert disabled(stage) == [token]


def test_locked_pool_is_a_warning(machine: LisaHost) -> None:
    machine.env["LISA_STATE_LOCK_TIMEOUT_MS"] = "20"
    stage, _ = pooled(machine)
    with files.lock(oauth_tokens.path(stage.ctx.settings) + ".lock", timeout_ms=1000):
        assert saw(stage, REFUSED).session_state == "waiting_input"
    assert disabled(stage) == []


CLAUDE_LIKE = """#!/bin/sh
case $1 in --version) echo '2.1.329 (Claude Code)'; exit ;; --help) exit ;; esac
while ! test -e go; do sleep 0.02; done
echo 'invalid_grant: Invalid refresh token'
exit 1
"""


@pytest.mark.parametrize("words", ["status --session lisa-x", "list --priority", "explain --session lisa-x"])
def test_any_command_that_sees_the_failure_sets_it_aside(machine: LisaHost, fleet: Fleet, words: str) -> None:
    machine.add_program("claude", CLAUDE_LIKE)
    machine.lisa("oauth", "add", "--token", "one")
    assert machine.lisa("session", "spawn", "--session", "lisa-x", "--json").json["oauthTokenId"]
    machine.lisa("session", *words.split(), "--json")
    assert "disabled" not in machine.lisa("oauth", "list", "--json").json["tokens"][0]
    (machine.project / "go").touch()
    fleet.wait_until_ended("lisa-x")
    machine.lisa("session", *words.split(), "--json")
    token = machine.lisa("oauth", "list", "--json").json["tokens"][0]
    assert (token["disabled"], token["disabledReason"]) == (True, "invalid_refresh_token")
