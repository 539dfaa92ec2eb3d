"""The program status of every state."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from msgspec import structs

from lisa_py.contract.program_status import ProgramStatus, derive_blocked_kind
from lisa_py.contract.status import SESSION_STATES, AgentState, Status, WaitingFor
from tests.core.status.status_cases import CASES

BY_STATE = {
    "just_started": "working",
    "in_progress": "working",
    "completed": "done",
    "crashed": "error",
    "stuck": "error",
    "degraded": "unknown",
    "not_found": "unknown",
}
BY_WAITING_FOR = {
    "": ("idle", ""),
    "prompt": ("idle", ""),
    "permission": ("blocked", "permission"),
    "question": ("blocked", "question"),
    "trust": ("blocked", "permission"),
    "login": ("blocked", "auth"),
    "bypass": ("blocked", "permission"),
    "update": ("blocked", "question"),
    "hooks_trust": ("blocked", "permission"),
    "api_key": ("blocked", "auth"),
    "dialog": ("blocked", "question"),
    "error": ("error", ""),
    "limit": ("error", ""),
}


def status(session_state: str, **fields: Any) -> Status:
    return Status(session="lisa-a", session_state=session_state, **fields)


def test_tables_name_every_state() -> None:
    assert {*BY_STATE, "waiting_input"} == set(SESSION_STATES)
    assert set(BY_WAITING_FOR) == set(get_args(WaitingFor))


@pytest.mark.parametrize(("session_state", "expected"), BY_STATE.items())
def test_state_decides_without_a_question(session_state: str, expected: str) -> None:
    for agent_state in get_args(AgentState):
        asks = session_state == "in_progress" and agent_state == "waiting"  # a one-shot run that asks
        assert status(session_state, agent_state=agent_state).program_status == ("blocked" if asks else expected)


@pytest.mark.parametrize(("waiting_for", "expected"), BY_WAITING_FOR.items())
def test_cause_of_waiting_decides(waiting_for: str, expected: tuple[str, str]) -> None:
    word, kind = expected
    assert status("waiting_input", waiting_for=waiting_for).program_status == word
    if word == "blocked":
        assert derive_blocked_kind(waiting_for) == kind


def test_condition_cannot_contradict_the_state() -> None:
    working = status("in_progress", program_status="done")
    assert working.program_status == "working"
    assert structs.replace(working, session_state="crashed").program_status == "error"
    read = msgspec.convert({"session": "lisa-a", "sessionState": "completed", "programStatus": "idle"}, Status)
    assert read.program_status == "done"


def test_every_documented_condition_has_a_case() -> None:
    words = {case.status.program_status for case in CASES}
    assert words == set(get_args(ProgramStatus))
