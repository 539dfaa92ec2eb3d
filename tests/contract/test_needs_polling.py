"""The table of states whose next change can come without an event."""

from __future__ import annotations

from typing import Any

import pytest

from lisa_py.contract.status import AgentReport, Signals, Status

HOOK = AgentReport(source="hook", state="thinking")
TRANSCRIPT = AgentReport(source="transcript", state="thinking")


def make_status(state: str, source: str, reports: tuple[AgentReport, ...] = (), **fields: Any) -> Status:
    signals = Signals(reports=reports)
    return Status(session="s", session_state=state, state_source=source, signals=signals, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["in_progress", "waiting_input"])
@pytest.mark.parametrize(
    ("source", "reports", "expected"),
    [
        ("agent_file", (), False),
        ("hook", (HOOK,), False),
        ("transcript", (TRANSCRIPT,), False),
        ("title", (), True),
        ("title", (TRANSCRIPT,), True),
        ("title", (HOOK,), False),
        ("activity", (), True),
        ("screen", (HOOK,), True),
        ("process", (), True),
    ],
)
def test_polling_depends_on_the_source(
    state: str, source: str, reports: tuple[AgentReport, ...], expected: bool
) -> None:
    assert make_status(state, source, reports).needs_polling is expected


@pytest.mark.parametrize("state", ["completed", "crashed", "stuck", "not_found"])
def test_terminal_states_are_not_polled(state: str) -> None:
    assert not make_status(state, "process").needs_polling


@pytest.mark.parametrize("state", ["just_started", "degraded"])
def test_provisional_states_are_polled(state: str) -> None:
    assert make_status(state, "agent_file").needs_polling


def test_pending_prompt_is_polled_until_its_time_limit() -> None:
    assert make_status("in_progress", "hook", (HOOK,), classification_reason="prompt_pending").needs_polling


def test_exec_run_without_signals_ends_with_an_event() -> None:
    assert not make_status("in_progress", "process", mode="exec").needs_polling
    reason = "heartbeat_fresh_agent_pid_unresolved"
    assert make_status("in_progress", "process", mode="exec", classification_reason=reason).needs_polling
