"""The verdict on every condition of the table, and what else a status tells."""

from __future__ import annotations

import pytest
from msgspec import UNSET, structs

from lisa_py.contract.frames import Frame
from lisa_py.contract.status import SESSION_STATES
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.verdict import judge
from lisa_py.store.session_records import EndRecord
from tests.core.status import status_cases
from tests.core.status.status_cases import (
    CASES,
    NOW,
    Case,
    agent_report,
    command_session,
    ended_session,
    input_state,
    live_session,
    meta,
    missing_session,
)


@pytest.mark.parametrize("case", CASES, ids=[case.condition for case in CASES])
def test_each_condition_is_reported_as_the_table_says(case: Case) -> None:
    assert status_cases.summarize(case.status) == (case.state, case.reason, case.agent, case.waiting_for)


def test_the_docs_page_is_made_from_the_cases() -> None:
    assert status_cases.PAGE.read_text(encoding="utf-8") == status_cases.render_page(), (
        "run: python -m tests.core.status.status_cases"
    )


def test_the_cases_cover_all_states() -> None:
    assert {case.state for case in CASES} == set(SESSION_STATES)


@pytest.mark.parametrize("case", CASES, ids=[case.condition for case in CASES])
def test_status_is_active_exactly_while_something_is_going_on(case: Case) -> None:
    active = case.state in ("in_progress", "just_started")
    assert (case.status.status == "active") == active
    assert bool(case.status.wait_estimate) == (active or case.state == "degraded")
    assert bool(case.status.active_task) == active


def test_the_same_evidence_gives_the_same_verdict_however_often_it_is_asked() -> None:
    evidence = live_session(reports=(agent_report("agent_file", "idle"),))
    assert len({judge(evidence, NOW) for _ in range(10)}) == 1


def test_todos_and_the_task_in_work_come_from_the_transcript() -> None:
    status = judge(status_cases.WITH_TODOS, NOW)
    assert (status.todos_done, status.todos_total, status.active_task) == (1, 3, "two")


def test_the_estimate_grows_with_the_turn() -> None:
    assert judge(status_cases.WITH_TODOS, NOW).wait_estimate == 10
    assert judge(status_cases.WITH_TODOS, NOW + 1000).wait_estimate == 60


def test_output_age_is_that_of_pane_or_transcript_whichever_is_younger() -> None:
    evidence = live_session(reports=(agent_report("agent_file", "idle"),))
    evidence.pane = status_cases.pane(activity=NOW - 300)
    old = judge(evidence, NOW)
    assert (old.output_age_seconds, old.signals.output_fresh) == (300, False)
    evidence.transcript_at = NOW - 7
    fresh = judge(evidence, NOW)
    assert (fresh.output_age_seconds, fresh.signals.output_fresh) == (7, True)


def test_an_end_by_signal_names_it() -> None:
    status = judge(ended_session(end=EndRecord("1", 143, NOW)), NOW)
    assert (status.exit_code, status.exit_signal, status.pane_status) == (143, "SIGTERM", "exited:143")
    plain = judge(ended_session(end=EndRecord("1", 9, NOW)), NOW)
    assert (plain.exit_code, plain.exit_signal) == (9, UNSET)


def test_unreachable_tmux_carries_its_error_code_and_never_says_not_found() -> None:
    status = judge(missing_session(tmux_error="no tmux", tmux_error_code="tmux_missing"), NOW)
    assert (status.session_state, status.error_code, status.signals.tmux_read_error) == (
        "degraded",
        "tmux_missing",
        "no tmux",
    )


def test_a_session_that_never_was_has_neither_agent_nor_mode() -> None:
    status = judge(Evidence(session="lisa-x", agent="claude", mode="interactive"), NOW)
    assert (status.agent, status.mode, status.error_code) == ("", "", "session_not_found")


def test_a_gone_session_still_tells_how_its_agent_ended() -> None:
    status = judge(missing_session(end=EndRecord("1", 3, NOW)), NOW)
    assert (status.session_state, status_cases.exit_code(status)) == ("not_found", 3)
    assert "exited with 3" in status.state_detail


def test_exec_sessions_are_never_said_to_wait() -> None:
    for case in CASES:
        if case.state == "waiting_input":
            evidence = structs.replace(case.evidence, mode="exec")
            assert judge(evidence, NOW).session_state == "in_progress", case.condition


def test_the_age_of_the_last_input_counts_in_seconds_not_in_looks() -> None:
    before = (agent_report("title", "idle"),)
    assert judge(live_session(state=input_state(9.9), reports=before), NOW).classification_reason == "prompt_pending"
    assert judge(live_session(state=input_state(10.1), reports=before), NOW).classification_reason == "prompt_not_taken"


def test_an_accepted_input_has_more_time_to_be_begun_on() -> None:
    state = input_state(12)
    state.last_input_accepted_at = NOW - 3
    status = judge(live_session(state=state, reports=(agent_report("agent_file", "idle", at=NOW - 30),)), NOW)
    assert status.session_state == "in_progress"


def test_an_input_that_begins_no_turn_leaves_the_rest_standing() -> None:
    state = input_state(1)
    state.last_input_expects_turn = False
    status = judge(live_session(state=state, reports=(agent_report("agent_file", "idle", at=NOW - 30),)), NOW)
    assert status.session_state == "waiting_input"


def test_a_shell_that_waits_again_a_second_after_an_input_has_taken_it() -> None:
    assert (
        judge(command_session(state=input_state(0.2), reports=(agent_report("activity", "idle"),)), NOW).session_state
        == "in_progress"
    )
    assert (
        judge(command_session(state=input_state(1.2), reports=(agent_report("activity", "idle"),)), NOW).session_state
        == "waiting_input"
    )


# -- turn complete --------------------------------------------------------------------------------------------------

TURN = (Frame(kind="turn_start", at=NOW - 50), Frame(kind="turn_end", at=NOW - 40, reason="completed"))


def test_a_turn_is_complete_when_the_transcript_ends_it_after_the_last_input() -> None:
    idle = (agent_report("agent_file", "idle", at=NOW - 40), agent_report("transcript", "idle", at=NOW - 40))
    assert judge(live_session(frames=TURN, reports=idle, state=input_state(60)), NOW).signals.transcript_turn_complete


def test_scenario_26_a_turn_from_before_the_last_input_is_not_complete() -> None:
    for seconds in (1, 5, 30):
        idle = (agent_report("agent_file", "idle", at=NOW - 40), agent_report("transcript", "idle", at=NOW - 40))
        status = judge(live_session(frames=TURN, reports=idle, state=input_state(seconds)), NOW)
        assert not status.signals.transcript_turn_complete


def test_text_before_a_tool_call_is_not_the_end_of_a_turn() -> None:
    open_turn = (Frame(kind="turn_start", at=NOW - 50), Frame(kind="assistant", text="let me look", at=NOW - 45))
    busy = (agent_report("agent_file", "thinking"), agent_report("transcript", "streaming", at=NOW - 45))
    assert not judge(live_session(frames=open_turn, reports=busy), NOW).signals.transcript_turn_complete


def test_an_interrupted_turn_is_over_also_when_its_transcript_has_no_end() -> None:
    cut = (agent_report("agent_file", "idle", at=NOW - 9), agent_report("hook", "interrupted", at=NOW - 9))
    status = judge(live_session(frames=TURN[:1], reports=cut, state=input_state(20), prompted_at=NOW - 20), NOW)
    assert (status.agent_state, status.signals.transcript_turn_complete) == ("interrupted", True)


def test_a_command_of_the_agents_own_does_not_undo_the_end_of_the_turn_before_it() -> None:
    def complete(seconds: float, rest: float = 40) -> bool:
        state = input_state(seconds)
        state.last_input_expects_turn = False
        idle = (agent_report("agent_file", "idle", at=NOW - rest), agent_report("transcript", "idle", at=NOW - 40))
        return judge(live_session(frames=TURN, reports=idle, state=state), NOW).signals.transcript_turn_complete

    assert not complete(3)  # it may be about to begin
    assert complete(3, rest=1)  # it has worked on it, and rests again
    assert complete(11)  # nothing comes of it


def test_a_turn_from_before_the_session_is_none_of_its_turns() -> None:
    resumed = live_session(
        meta=meta(created_unix=NOW - 30), frames=TURN, reports=(agent_report("agent_file", "idle", at=NOW - 20),)
    )
    assert not judge(resumed, NOW).signals.transcript_turn_complete


def test_an_agent_that_was_never_asked_anything_has_completed_no_turn() -> None:
    assert not judge(
        live_session(reports=(agent_report("agent_file", "idle", at=NOW),)), NOW
    ).signals.transcript_turn_complete
