"""core/limits/continuation, core/workflows/limit_wait: one limit is continued once, within the bounds of its caller."""

from __future__ import annotations

import time
from typing import Any

import pytest
from msgspec import structs

from lisa_py.agents.base import LimitReport
from lisa_py.contract.status import Status
from lisa_py.core.limits import continuation
from lisa_py.core.status import usage_limit
from lisa_py.core.wait import monitor
from lisa_py.core.wait.monitor import MonitorSummary
from lisa_py.core.wait.stop_rules import StopRules
from lisa_py.core.workflows import limit_wait
from lisa_py.store import outbox_records
from lisa_py.store.outbox_records import OutboxText
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    found = SessionHarness(machine).spawn("[limit usage limit reached, try again in 3600 seconds]", ready=False)
    wait_until(lambda: found.status().waiting_for == "limit", what="the limit")
    return found


def test_other_seconds_are_the_same_limit(stage: SessionHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    end = float(int(time.time()) + 3600)
    named = [end]
    monkeypatch.setattr(usage_limit, "read_limit", lambda *_: LimitReport(resets_at=named[-1]))

    def queue(seconds: float, *, again: bool = False) -> tuple[str, float]:
        named.append(end + seconds)
        found = continuation.queue_continuation(stage.ctx, stage.ref, again=again)
        assert found is not None
        return found.id, found.due_at - end

    first, _ = queue(0)
    assert [queue(7), queue(-3)] == [(first, 8), (first, 8)]
    other, _ = queue(3000)
    assert other != first
    assert [each.id for each in outbox_records.registry(stage.ref).read().texts] == [first, other]
    continuation.withdraw_continuations(stage.ctx, stage.ref)
    assert queue(5)[0] == first and continuation.is_withdrawn(stage.ref, first)
    assert queue(5, again=True) == (first, 6)


@pytest.mark.parametrize(
    ("changes", "due_at", "same"),
    [
        ({}, 1010.0, True),
        ({}, 881.0, True),
        ({}, 1121.0, False),
        ({"state": "withdrawn", "over_at": 900.0}, 1010.0, True),  # a person has taken it back
        ({"state": "accepted", "accepted_at": 1001.0}, 1001.0, True),  # the status follows the turn
        ({"state": "accepted", "accepted_at": 1001.0}, 1010.0, False),  # the agent has met the limit again
        ({"state": "withdrawn", "over_at": 1001.0}, 1010.0, False),  # its turn went on by itself, to another limit
        ({"at_limit": False}, 1000.0, False),
    ],
)
def test_when_two_times_mean_one_limit(changes: dict[str, Any], due_at: float, same: bool) -> None:
    text = OutboxText(id="limit-1-1000", text="continue", when="now", due_at=1000.0, at_limit=True)
    assert continuation.is_same_limit(structs.replace(text, **changes), due_at) is same


def test_polls_are_bounded_over_all_limits(stage: SessionHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[StopRules] = []

    def end_at_limit(ctx: object, ref: object, rules: StopRules, *rest: object) -> MonitorSummary:
        rounds.append(rules)
        status = Status(session=stage.name, session_state="waiting_input", waiting_for="limit")
        return MonitorSummary(reason="usage_limit", exit_code=2, polls=3, polls_used=5, recoveries=1, status=status)

    monkeypatch.setattr(monitor, "run_monitor", end_at_limit)
    rules = StopRules(max_polls=5, auto_recover=True, recover_max=2, recover_budget=6)
    ended = limit_wait.run_monitor(stage.ctx, stage.ref, rules, "wait", lambda _: None, lambda _: None)
    assert [each.max_polls for each in rounds] == [5, 3, 1]
    assert [(each.auto_recover, each.recover_max, each.recover_budget) for each in rounds] == [
        (True, 2, 6),
        (True, 1, 2),
        (False, 0, 0),
    ]
    assert (ended.reason, ended.polls) == ("usage_limit", 9)
