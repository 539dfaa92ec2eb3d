"""The verdict on every case of the table, and the other fields of a status."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET, structs

from lisa_py.contract.frames import Frame
from lisa_py.contract.records import SessionState
from lisa_py.contract.status import SESSION_STATES, Status
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
def test_each_case_has_the_state_of_the_table(case: Case) -> None:
    assert status_cases.summarize(case.status) == (case.state, case.reason, case.agent, case.waiting_for)


def test_docs_page_is_made_from_the_cases() -> None:
    assert status_cases.PAGE.read_text(encoding="utf-8") == status_cases.render_page(), (
        "run: python -m tests.core.status.status_cases"
    )


def test_cases_cover_all_states() -> None:
    assert {case.state for case in CASES} == set(SESSION_STATES)


@pytest.mark.parametrize("case", CASES, ids=[case.condition for case in CASES])
def test_status_is_active_only_in_progress(case: Case) -> None:
    active = case.state in ("in_progress", "just_started")
    assert (case.status.status == "active") == active
    assert bool(case.status.wait_estimate) == (active or case.state == "degraded")
    assert bool(case.status.active_task) == active


def test_detail_names_another_folder_of_the_agent() -> None:
    idle = (agent_report("agent_file", "idle"),)
    assert judge(live_session(reports=idle, working_folder="/other"), NOW).state_detail == "it works in /other"
    assert judge(live_session(reports=idle), NOW).state_detail == ""


def test_idle_agent_with_another_screen_waits() -> None:
    idle = (agent_report("agent_file", "idle"),)
    status = judge(live_session(reports=idle, composer="mode", input_block="vi has the agent's terminal"), NOW)
    assert (status.session_state, status.waiting_for, status.state_source) == ("waiting_input", "dialog", "screen")
    assert status.state_detail == "vi has the agent's terminal"


@pytest.mark.parametrize(
    ("composer", "activity", "age", "expected"),
    [
        ("empty", "idle", 60.0, "waiting_input"),
        ("empty", "idle", 2.0, "just_started"),
        ("empty", "thinking", 60.0, "just_started"),
        ("none", "idle", 60.0, "just_started"),
    ],
)
def test_sleeping_agent_with_an_empty_box_is_not_starting(
    composer: str, activity: str, age: float, expected: str
) -> None:
    reports = (agent_report("hook", "starting", at=NOW - age), agent_report("activity", activity))
    status = judge(live_session(reports=reports, composer=composer, root_age=age), NOW)
    assert status.session_state == expected


def test_verdict_is_a_pure_function() -> None:
    evidence = live_session(reports=(agent_report("agent_file", "idle"),))
    assert len({judge(evidence, NOW) for _ in range(10)}) == 1


def test_todos_and_active_task_come_from_the_transcript() -> None:
    status = judge(status_cases.WITH_TODOS, NOW)
    assert (status.todos_done, status.todos_total, status.active_task) == (1, 3, "two")


def test_estimate_grows_with_the_turn() -> None:
    assert judge(status_cases.WITH_TODOS, NOW).wait_estimate == 10
    assert judge(status_cases.WITH_TODOS, NOW + 1000).wait_estimate == 60


def test_output_age_is_the_minimum_of_pane_and_transcript() -> None:
    evidence = live_session(reports=(agent_report("agent_file", "idle"),))
    evidence.pane = status_cases.pane(activity=NOW - 300)
    old = judge(evidence, NOW)
    assert (old.output_age_seconds, old.signals.output_fresh) == (300, False)
    evidence.transcript_at = NOW - 7
    fresh = judge(evidence, NOW)
    assert (fresh.output_age_seconds, fresh.signals.output_fresh) == (7, True)


def test_end_by_signal_names_it() -> None:
    status = judge(ended_session(end=EndRecord("1", 143, NOW)), NOW)
    assert (status.exit_code, status.exit_signal, status.pane_status) == (143, "SIGTERM", "exited:143")
    plain = judge(ended_session(end=EndRecord("1", 9, NOW)), NOW)
    assert (plain.exit_code, plain.exit_signal) == (9, UNSET)


def test_unreachable_tmux_is_not_reported_as_not_found() -> None:
    status = judge(missing_session(tmux_error="no tmux", tmux_error_code="tmux_missing"), NOW)
    assert (status.session_state, status.error_code, status.signals.tmux_read_error) == (
        "degraded",
        "tmux_missing",
        "no tmux",
    )


def test_unknown_session_has_no_agent_and_no_mode() -> None:
    status = judge(Evidence(session="lisa-x", agent="claude", mode="interactive"), NOW)
    assert (status.agent, status.mode, status.error_code) == ("", "", "session_not_found")


def test_missing_session_has_the_exit_of_its_agent() -> None:
    status = judge(missing_session(end=EndRecord("1", 3, NOW)), NOW)
    assert (status.session_state, status_cases.exit_code(status)) == ("not_found", 3)
    assert "exited with 3" in status.state_detail


def test_exec_sessions_never_wait() -> None:
    for case in CASES:
        if case.state == "waiting_input":
            evidence = structs.replace(case.evidence, mode="exec")
            assert judge(evidence, NOW).session_state == "in_progress", case.condition


def test_acceptance_limit_is_in_seconds_not_reads() -> None:
    before = (agent_report("title", "idle"),)
    assert judge(live_session(state=input_state(9.9), reports=before), NOW).classification_reason == "prompt_pending"
    assert judge(live_session(state=input_state(10.1), reports=before), NOW).classification_reason == "prompt_not_taken"


def test_accepted_input_has_more_time() -> None:
    state = input_state(12)
    state.last_input_accepted_at = NOW - 3
    status = judge(live_session(state=state, reports=(agent_report("agent_file", "idle", at=NOW - 30),)), NOW)
    assert status.session_state == "in_progress"


def test_input_without_a_turn_keeps_the_idle_state() -> None:
    state = input_state(1)
    state.last_input_expects_turn = False
    status = judge(live_session(state=state, reports=(agent_report("agent_file", "idle", at=NOW - 30),)), NOW)
    assert status.session_state == "waiting_input"


def test_shell_idle_after_a_second_has_read_its_input() -> None:
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


def test_turn_end_after_the_last_input_is_complete() -> None:
    idle = (agent_report("agent_file", "idle", at=NOW - 40), agent_report("transcript", "idle", at=NOW - 40))
    assert judge(live_session(frames=TURN, reports=idle, state=input_state(60)), NOW).signals.transcript_turn_complete


def test_scenario_26_turn_before_the_last_input_is_not_complete() -> None:
    for seconds in (1, 5, 30):
        idle = (agent_report("agent_file", "idle", at=NOW - 40), agent_report("transcript", "idle", at=NOW - 40))
        status = judge(live_session(frames=TURN, reports=idle, state=input_state(seconds)), NOW)
        assert not status.signals.transcript_turn_complete


def test_text_before_a_tool_call_is_not_the_end_of_a_turn() -> None:
    open_turn = (Frame(kind="turn_start", at=NOW - 50), Frame(kind="assistant", text="let me look", at=NOW - 45))
    busy = (agent_report("agent_file", "thinking"), agent_report("transcript", "streaming", at=NOW - 45))
    assert not judge(live_session(frames=open_turn, reports=busy), NOW).signals.transcript_turn_complete


def test_interrupted_turn_without_an_end_record_is_complete() -> None:
    cut = (agent_report("agent_file", "idle", at=NOW - 9), agent_report("hook", "interrupted", at=NOW - 9))
    status = judge(live_session(frames=TURN[:1], reports=cut, state=input_state(20), prompted_at=NOW - 20), NOW)
    assert (status.agent_state, status.signals.transcript_turn_complete) == ("interrupted", True)


def test_own_command_keeps_the_previous_turn_complete() -> None:
    def complete(seconds: float, idle_for: float = 40) -> bool:
        state = input_state(seconds)
        state.last_input_expects_turn = False
        idle = (agent_report("agent_file", "idle", at=NOW - idle_for), agent_report("transcript", "idle", at=NOW - 40))
        return judge(live_session(frames=TURN, reports=idle, state=state), NOW).signals.transcript_turn_complete

    assert not complete(3)  # a turn may be about to begin
    assert complete(3, idle_for=1)  # it worked and is idle again
    assert complete(11)  # the time limit has passed


def test_turns_before_the_session_do_not_count() -> None:
    resumed = live_session(
        meta=meta(created_unix=NOW - 30), frames=TURN, reports=(agent_report("agent_file", "idle", at=NOW - 20),)
    )
    assert not judge(resumed, NOW).signals.transcript_turn_complete


def test_agent_without_a_prompt_has_no_complete_turn() -> None:
    assert not judge(
        live_session(reports=(agent_report("agent_file", "idle", at=NOW),)), NOW
    ).signals.transcript_turn_complete


def test_refused_input_is_not_a_completed_turn() -> None:
    idle = (agent_report("agent_file", "idle", at=NOW - 1),)
    asked, ended = Frame(kind="user", at=NOW - 8, text="before"), Frame(kind="turn_end", at=NOW - 7, reason="completed")
    refusal = Frame(kind="system", at=NOW - 3, text="blocked: no", reason="prompt_blocked")
    begun = SessionState(last_input_at=NOW - 4, last_input_expects_turn=True)
    kept = Frame(kind="user", at=NOW - 3.5, text="kept")
    answer = Frame(kind="assistant", at=NOW - 3.2, text="done")
    later = Frame(kind="user", at=NOW - 2, text="typed by a person")
    refused = SessionState(last_input_at=NOW - 4, last_input_refused="no such command")
    for state, frames in (
        (begun, (asked, ended, refusal)),
        (begun, (asked, ended, kept, refusal)),  # kept in the transcript, then stopped
        (refused, (asked, ended)),
    ):
        status = judge(live_session(state=state, frames=frames, reports=idle), NOW)
        assert (status.session_state, status.classification_reason) == ("waiting_input", "prompt_not_taken")
        assert not status.signals.transcript_turn_complete
    for state, frames in (
        (begun, (refusal, later)),
        (begun, (kept, answer, refusal)),  # another person's input after the turn
        (refused, (later,)),
        (SessionState(last_input_at=NOW - 2.5), (refusal,)),
    ):
        status = judge(live_session(state=state, frames=frames, reports=idle), NOW)
        assert status.classification_reason == "agent_idle"


def test_sent_prompt_is_pending_before_the_first_report() -> None:
    """An agent with hooks has reported nothing, but it has taken input: it is no longer starting."""

    def case(text: str, **more: Any) -> Status:
        state = SessionState(last_input_at=NOW - 0.2, last_input_text=text, last_input_expects_turn=True)
        described = status_cases.meta(hooks=True, created_unix=NOW - 9, prompt="first")
        return judge(live_session(meta=described, state=state, **more), NOW)

    busy = (agent_report("activity", "thinking", at=NOW),)
    for more in ({"reports": busy}, {}):
        sent = case("second", **more)
        assert (sent.session_state, sent.classification_reason) == ("in_progress", "prompt_pending")
        spawned = case("first", **more)
        assert (spawned.session_state, spawned.classification_reason) == ("just_started", "agent_starting")
