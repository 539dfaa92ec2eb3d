"""core/relay/usage: what a session used, by its agent's transcript."""

from __future__ import annotations

import pytest

from lisa_py.core.planning import session_usage
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def test_usage_of_living_and_ended_sessions_adds_up(stage: SessionHarness) -> None:
    stage.spawn()
    for number in range(2):
        assert stage.send(f"[say answer {number}]").json["delivered"] is True
        stage.wait_for_state("idle")
    used = wait_until(lambda: (now := session_usage.read_usage(stage.ctx, stage.ref)).turns == 2 and now)
    recorded = stage.transcript("usage")
    assert used.calls == len(recorded) >= 2
    assert used.tokens == used.input_tokens + used.output_tokens > 0
    assert used.seconds is not None
    stage.lisa("send", "--keys", "C-d")
    stage.wait_until_ended()
    after = session_usage.read_usage(stage.ctx, stage.ref)
    assert (after.tokens, after.turns) == (used.tokens, used.turns)
    later = session_usage.read_usage(stage.ctx, stage.ref)
    assert later.seconds == after.seconds


def test_a_command_of_ones_own_has_no_tokens_to_tell(stage: SessionHarness) -> None:
    stage.run("sleep 60")
    used = session_usage.read_usage(stage.ctx, stage.ref)
    assert (used.tokens, used.reason) == (None, "custom_command")
    assert used.reading.steps is None


def test_budgets_use_the_reports_of_the_agent(stage: SessionHarness) -> None:
    stage.spawn("[say hello]")
    seen = wait_until(lambda: (now := stage.lisa("budget-observe").json)["observed"]["steps"] == 1 and now)
    assert seen["sources"] == [f"session:{stage.name}"]
    assert seen["observed"]["tokens"] == session_usage.read_usage(stage.ctx, stage.ref).tokens
    assert stage.lisa("budget-enforce", "--max-tokens", "1").code == 1
    assert stage.lisa("budget-enforce", "--max-tokens", "1000000", "--max-steps", "1").code == 0


def test_what_a_session_cannot_tell_is_said_to_be_missing(stage: SessionHarness) -> None:
    stage.run("sleep 60")
    answer = stage.lisa("budget-enforce", "--max-tokens", "1", "--max-seconds", "100").json
    assert (answer["ok"], answer["missingMetrics"]) == (True, ["tokens"])
