"""core/relay/usage: what a session used, by its agent's transcript."""

from __future__ import annotations

import pytest

from lisa_py.core.relay import usage
from tests.machine import Machine
from tests.stage import Stage
from tests.waiting import wait_until


@pytest.fixture
def stage(machine: Machine) -> Stage:
    return Stage(machine)


def test_calls_and_turns_of_a_living_and_of_an_ended_session_add_up(stage: Stage) -> None:
    stage.spawn()
    for number in range(2):
        assert stage.send(f"[say answer {number}]").json["delivered"] is True
        stage.reaches("idle")
    used = wait_until(lambda: (now := usage.of_session(stage.ctx, stage.place)).turns == 2 and now)
    recorded = stage.transcript("usage")
    assert used.calls == len(recorded) >= 2
    assert used.tokens == used.input_tokens + used.output_tokens > 0
    assert used.seconds is not None
    stage.lisa("send", "--keys", "C-d")
    stage.ends()
    after = usage.of_session(stage.ctx, stage.place)
    assert (after.tokens, after.turns) == (used.tokens, used.turns)
    later = usage.of_session(stage.ctx, stage.place)
    assert later.seconds == after.seconds


def test_a_command_of_ones_own_has_no_tokens_to_tell(stage: Stage) -> None:
    stage.run("sleep 60")
    used = usage.of_session(stage.ctx, stage.place)
    assert (used.tokens, used.reason) == (None, "custom_command")
    assert used.reading.steps is None


def test_budgets_are_observed_and_enforced_on_what_the_agent_reports(stage: Stage) -> None:
    stage.spawn("[say hello]")
    seen = wait_until(lambda: (now := stage.lisa("budget-observe").json)["observed"]["steps"] == 1 and now)
    assert seen["sources"] == [f"session:{stage.name}"]
    assert seen["observed"]["tokens"] == usage.of_session(stage.ctx, stage.place).tokens
    assert stage.lisa("budget-enforce", "--max-tokens", "1").code == 1
    assert stage.lisa("budget-enforce", "--max-tokens", "1000000", "--max-steps", "1").code == 0


def test_what_a_session_cannot_tell_is_said_to_be_missing(stage: Stage) -> None:
    stage.run("sleep 60")
    answer = stage.lisa("budget-enforce", "--max-tokens", "1", "--max-seconds", "100").json
    assert (answer["ok"], answer["missingMetrics"]) == (True, ["tokens"])
