"""core/advice/anomaly, remedy and origin: what is wrong with a session, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lisa_py.contract.records import Event, SessionMeta
from lisa_py.contract.status import Status
from lisa_py.core.advice import anomaly, recovery, target
from lisa_py.core.advice.anomaly import AnomalyFinding
from lisa_py.core.advice.target import AdviceTarget
from lisa_py.host.clock import format_rfc3339

NOW = 1_800_000_000.0


def _events(*reasons: str, apart: float = 30.0, state: str = "in_progress", kind: str = "transition") -> list[Event]:
    """Events of these reasons, the last of them now."""
    first = NOW - apart * (len(reasons) - 1)
    return [
        Event(seq=number + 1, at=format_rfc3339(first + apart * number), type=kind, state=state, reason=reason)
        for number, reason in enumerate(reasons)
    ]


def _find(status: Status, events: Sequence[Event], *, still: bool = True) -> list[tuple[str, str, int]]:
    found = anomaly.find_anomalies(status, anomaly.build_history(events, NOW), lambda: still)
    return [(finding.code, finding.severity, finding.count) for finding in found]


def _status(state: str, **fields: Any) -> Status:
    return Status(session="lisa-a", session_state=state, **fields)


def test_missing_session_has_a_single_anomaly() -> None:
    assert _find(_status("not_found"), _events(*["x"] * 9)) == [("session_not_found", "high", 1)]


def test_running_session_without_events_is_an_anomaly() -> None:
    assert _find(_status("in_progress"), []) == [("no_events_observed", "medium", 1)]
    assert _find(_status("waiting_input"), []) == []


def test_repeated_events_without_progress_are_a_loop() -> None:
    events = _events("other", *["monitor_auto_recover"] * 6)
    assert _find(_status("in_progress"), events) == [("reason_loop", "high", 6)]


@pytest.mark.parametrize(
    ("status", "events", "still"),
    [
        (_status("in_progress"), _events(*["x"] * 6), False),  # it prints or computes
        (_status("in_progress", agent_state="tool"), _events(*["x"] * 6), True),  # it says that it works
        (_status("waiting_input"), _events(*["x"] * 6), True),
        (_status("in_progress"), _events(*["x"] * 5), True),
        (_status("in_progress"), _events(*["x"] * 9, apart=0.5), True),  # six quick looks are no loop
        (_status("in_progress"), _events(*["x"] * 9, kind="snapshot", state=""), True),
        (_status("in_progress"), _events(*["", "x"] * 6), True),
        (_status("in_progress"), _events(*["x", "y"] * 6), True),
    ],
)
def test_healthy_session_has_no_anomaly(status: Status, events: list[Event], still: bool) -> None:
    spawned = Event(seq=0, at=events[0].at, type="lifecycle", reason="spawn_success")
    assert _find(status, [spawned, *events], still=still) == []


def test_second_read_needs_a_suspicion() -> None:
    def look() -> bool:
        raise AssertionError("there was nothing to suspect")

    assert anomaly.find_anomalies(_status("in_progress"), anomaly.build_history(_events("a", "b"), NOW), look) == []


def test_problems_of_an_earlier_session_do_not_count() -> None:
    old = _events(*["tmux_unavailable"] * 5, state="degraded")
    spawned = Event(seq=99, at=format_rfc3339(NOW), type="lifecycle", reason="spawn_success")
    assert _find(_status("in_progress"), old) == [("degraded_retries", "medium", 5)]
    assert _find(_status("in_progress"), [*old, spawned]) == []


def test_last_ten_events_show_an_often_unreadable_session() -> None:
    degraded, fine = _events("t", "t", "t", state="degraded"), _events(*"abcdefgh")
    assert _find(_status("waiting_input"), [*degraded, *fine]) == []
    assert _find(_status("waiting_input"), [*fine, *degraded]) == [("degraded_retries", "medium", 3)]


def test_unmet_expectations_add_up() -> None:
    events = _events("monitor_expected_terminal_got_waiting", "x", "monitor_expected_waiting_got_terminal")
    assert _find(_status("completed"), events) == [("expectation_churn", "medium", 2)]
    assert _find(_status("completed"), events[:2]) == []


def test_findings_are_sorted_by_severity_then_code() -> None:
    events = _events(*["expected_x"] * 6, state="degraded")
    assert [code for code, _, _ in _find(_status("crashed"), events)] == [
        "terminal_crashed",
        "degraded_retries",
        "expectation_churn",
    ]
    assert _find(_status("stuck"), _events("x")) == [("terminal_stuck", "high", 1)]


def test_problem_reported_by_the_agent_is_used() -> None:
    busy = _status("in_progress", agent_state="retrying", error_kind="overloaded")
    assert _find(busy, _events("x")) == [("agent_retrying", "medium", 1)]
    failed = _status("waiting_input", agent_state="error", error_kind="auth")
    found = anomaly.find_anomalies(failed, anomaly.build_history(_events("x"), NOW), lambda: False)
    assert [(finding.code, "auth" in finding.message) for finding in found] == [("agent_error", True)]


def _target(meta: SessionMeta | None) -> AdviceTarget:
    options = target.derive_options(meta)
    return AdviceTarget(session="lisa-a", project_root="/p", respawn_options=options, binary="lisa")


def _plan(*codes: str, meta: SessionMeta | None = None) -> recovery.RecoveryPlan:
    findings = [AnomalyFinding(code, "high", 1, "", "") for code in codes]
    return recovery.plan_recovery(findings, _target(meta))


CLAUDE = SessionMeta(session="lisa-a", agent="claude", mode="interactive", start_command="claude 'x'")
CODEX = SessionMeta(session="lisa-a", agent="codex", mode="exec", start_command="codex exec 'go' --model 'gpt-6'")
EMPTY = SessionMeta(session="lisa-a", agent="codex", mode="exec")
CUSTOM = SessionMeta(session="lisa-a", agent="codex", mode="exec", custom_command=True, start_command="make 'it good'")


def test_session_is_respawned_with_its_settings() -> None:
    assert _plan("session_not_found", meta=CLAUDE).steps[1].command == (
        "lisa session spawn --agent claude --mode interactive --project-root '/p' --json"
    )
    assert _plan("session_not_found", meta=CODEX).steps[1].command == (
        "lisa session spawn --agent codex --mode exec --project-root '/p'"
        " --prompt 'Resume task from latest plan and continue.' --model 'gpt-6' --json"
    )
    assert _plan("terminal_crashed", meta=CUSTOM).steps[-1].command == (
        "lisa session spawn --agent codex --mode exec --project-root '/p' --command 'make '\"'\"'it good'\"'\"'' --json"
    )


def test_records_without_a_command_line_have_no_model() -> None:
    assert target.derive_options(EMPTY).model == ""


def test_generated_name_replaces_missing_records() -> None:
    found = target.derive_options(None, "lisa-shop-260801-093000-123456789-claude-exec-review")
    assert (found.agent, found.mode, found.model) == ("claude", "exec", "")
    assert target.derive_options(None, "lisa-claude").agent == "codex"


def test_unknown_session_starts_the_default_agent() -> None:
    assert _plan("session_not_found").steps[1].command == (
        "lisa session spawn --agent codex --mode interactive --project-root '/p' --model 'gpt-5.3-codex-spark' --json"
    )


def test_plan_confidence_is_the_mean_of_its_steps() -> None:
    assert _plan("session_not_found").confidence == 0.96
    looped = _plan("reason_loop", "degraded_retries", meta=CLAUDE)
    assert [step.confidence for step in looped.steps] == [0.99, 0.84, 0.8]
    assert looped.confidence == 0.8766666666666666
    assert _plan("terminal_crashed", meta=CLAUDE).confidence == 0.8525
    assert _plan().steps[0].command == "lisa session status --session 'lisa-a' --project-root '/p' --json-min"


def test_no_command_is_repeated() -> None:
    commands = [step.command for step in _plan("reason_loop", "expectation_churn", "terminal_stuck", meta=CODEX).steps]
    assert len(commands) == len(set(commands)) == 6
