"""Monitoring real sessions: reaction, deadlines, markers, recovery and records."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lisa_py.core.context import Context
from lisa_py.core.wait import waiter
from lisa_py.core.wait.monitor import MonitorSummary, Poll, run_monitor
from lisa_py.core.wait.stop_rules import StopRules
from lisa_py.host.env import read_settings
from lisa_py.store import events
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

LONG_TIMEOUT_SECONDS = 20
"""Time limit in seconds of a monitor that should have reacted."""


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def watch(stage: SessionHarness, **rules: Any) -> tuple[MonitorSummary, list[Poll], float]:
    """Monitor in this process; return the summary, the polls and the seconds it took."""
    polls: list[Poll] = []
    rules = {"timeout_seconds": LONG_TIMEOUT_SECONDS, "counts_polls": False, **rules}
    began = time.monotonic()
    outcome = run_monitor(stage.ctx, stage.ref, StopRules(**rules), polls.append)
    return outcome, polls, time.monotonic() - began


def later(seconds: float, act: Any) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


# -- reaction -------------------------------------------------------------------------------------------------------


def test_scenario_32_end_of_a_command_is_noticed_at_once(stage: SessionHarness) -> None:
    stage.run("sleep 1")
    outcome, _, _ = watch(stage, poll_interval=30)
    ended = os.stat(stage.ref.done).st_mtime
    assert (outcome.reason, outcome.exit_code) == ("completed", 0)
    assert time.time() - ended < 0.5


def test_end_of_a_turn_is_noticed_at_once(stage: SessionHarness) -> None:
    stage.spawn("[wait 1] [say ready]")
    outcome, _, took = watch(stage, poll_interval=30)
    assert (outcome.reason, outcome.status.waiting_for) == ("waiting_input", "prompt")
    assert took < 5


def test_question_is_noticed_at_once(stage: SessionHarness) -> None:
    stage.spawn("[wait 0.5] [ask run rm -rf /?]")
    outcome, _, took = watch(stage, poll_interval=30)
    assert (outcome.reason, outcome.status.waiting_for) == ("waiting_input", "permission")
    assert took < 5


def test_killed_agent_is_noticed_at_once(stage: SessionHarness) -> None:
    stage.spawn("[hang]")
    agent = wait_until(lambda: stage.agent_state().get("pid"))
    timer = later(0.7, lambda: os.kill(agent, signal.SIGKILL))
    outcome, _, took = watch(stage, poll_interval=30)
    timer.join()
    assert (outcome.reason, outcome.exit_code, outcome.code) == ("crashed", 2, "monitor_crashed")
    assert outcome.status.exit_signal == "SIGKILL"
    assert took < 5


def test_killed_session_is_noticed_at_once(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    timer = later(0.5, lambda: stage.ctx.server(stage.ref).kill_session(stage.name))
    outcome, _, took = watch(stage, poll_interval=30)
    timer.join()
    assert outcome.reason in ("not_found", "crashed")
    assert took < 5


def test_scenario_18_agent_that_stops_computing_is_waiting(stage: SessionHarness) -> None:
    burn = "import time; t = time.process_time() + 1.5\nwhile time.process_time() < t: pass\ninput()"
    Path(stage.machine.project, "burn.py").write_text(burn)
    stage.run("python3 burn.py")
    outcome, _, took = watch(stage)
    assert (outcome.reason, outcome.status.classification_reason) == ("waiting_input", "interactive_idle_cpu")
    assert took < 10


def test_scenario_19_agent_waiting_for_network_is_busy(stage: SessionHarness) -> None:
    silent = "import socket; a, b = socket.socketpair(); a.recv(1)"
    stage.run(f"python3 -c {silent!r}")
    outcome, _, took = watch(stage, timeout_seconds=2)
    assert (outcome.timed_out, outcome.status.session_state) == (True, "in_progress")
    assert took >= 2


def test_scenario_20_python_agent_with_grep_in_prompt_is_found(stage: SessionHarness) -> None:
    script = (
        "#!/usr/bin/env python3\nimport sys\nif '--help' in sys.argv or '--version' in sys.argv: sys.exit()\ninput()\n"
    )
    stage.machine.add_program("claude", script)
    assert stage.lisa("spawn", "--agent", "claude", "--prompt", "please grep the code").code == 0
    outcome, _, _ = watch(stage)
    assert (outcome.reason, outcome.status.pane_command) == ("waiting_input", "python3")
    assert outcome.status.agent_pid > 0


# -- sessions without signals ---------------------------------------------------------------------------------------


@pytest.fixture
def only_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a check can trigger a read."""
    monkeypatch.setattr(waiter._Member, "_interval", lambda self, status: 60.0)
    monkeypatch.setattr(waiter, "_find_quiet_moments", lambda evidence, status, offset: ())


def test_quiet_command_is_rarely_read(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    wait_until(lambda: stage.status().session_state == "in_progress")
    seen: list[Poll] = []
    rules = StopRules(timeout_seconds=2, counts_polls=False)
    run_monitor(stage.ctx, stage.ref, rules, on_poll=seen.append)
    assert sum(poll.elapsed > 1 for poll in seen) <= 6, [poll.elapsed for poll in seen]


@pytest.mark.usefixtures("only_checks")
def test_change_of_a_quiet_command_is_noticed(stage: SessionHarness) -> None:
    stage.run("until [ -e go ]; do sleep 0.01; done; read answer")
    timer = later(1, (stage.machine.project / "go").touch)
    outcome, _, took = watch(stage)
    timer.join()
    assert (outcome.reason, outcome.status.state_source) == ("waiting_input", "activity")
    assert took < 5


@pytest.mark.usefixtures("only_checks")
def test_marker_of_a_quiet_command_is_found(stage: SessionHarness) -> None:
    stage.run("sleep 1; echo DO''NE; sleep 600")
    outcome, _, took = watch(stage, until_marker="DONE")
    assert outcome.reason == "marker_found"
    assert took < 5


def test_quiet_command_is_rarely_searched_for_a_marker(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    seen: list[Poll] = []
    rules = StopRules(timeout_seconds=2, counts_polls=False, until_marker="DONE")
    run_monitor(stage.ctx, stage.ref, rules, on_poll=seen.append)
    assert sum(poll.elapsed > 1 for poll in seen) <= 6, [poll.elapsed for poll in seen]


@pytest.mark.usefixtures("only_checks")
def test_end_of_a_quiet_command_is_noticed_at_once(stage: SessionHarness) -> None:
    stage.run("sleep 1; exit 7")
    outcome, _, _ = watch(stage)
    assert outcome.status.exit_code == 7
    assert time.time() - os.stat(stage.ref.done).st_mtime < 0.5


@pytest.mark.usefixtures("only_checks")
def test_steps_of_a_command_cause_no_read(stage: SessionHarness) -> None:
    stage.run("while :; do sleep 0.2; done")
    wait_until(lambda: stage.status().session_state == "in_progress")
    seen: list[Poll] = []
    run_monitor(stage.ctx, stage.ref, StopRules(timeout_seconds=2, counts_polls=False), on_poll=seen.append)
    assert sum(poll.elapsed > 1 for poll in seen) <= 3, [poll.elapsed for poll in seen]


# -- deadlines ------------------------------------------------------------------------------------------------------


def test_scenario_31_timeout_does_not_depend_on_the_interval(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    outcome, polls, took = watch(stage, timeout_seconds=2, poll_interval=30)
    assert (outcome.final_state, outcome.final_status, outcome.reason) == ("timeout", "timeout", "max_polls_exceeded")
    assert (outcome.exit_code, outcome.code, outcome.polls) == (2, "monitor_timeout", 2)
    assert 2 <= took < 4
    assert [poll.number for poll in polls if not poll.changed] == [1, 2]


def test_polls_follow_interval_and_maximum(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    wait_until(lambda: stage.status().session_state == "in_progress")
    outcome, polls, took = watch(stage, poll_interval=1, max_polls=3, counts_polls=True, timeout_seconds=0)
    assert (outcome.polls, outcome.timed_out) == (3, True)
    assert 2 <= took < 4
    assert [poll.number for poll in polls] == [1, 2, 3]


def test_degraded_reads_end_with_their_own_timeout_reason(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    stage.ctx = Context(
        read_settings({**stage.machine.env, "PATH": str(stage.machine.bin)}), cwd=str(stage.machine.project)
    )
    outcome, _, _ = watch(stage, poll_interval=1, max_polls=2, counts_polls=True, timeout_seconds=0)
    assert outcome.reason == "degraded_max_polls_exceeded"


def test_change_between_two_intervals_is_reported_at_once(stage: SessionHarness) -> None:
    stage.spawn("[wait 0.7] [say done]")
    _, polls, _ = watch(stage, poll_interval=30, until_state="completed", timeout_seconds=3)
    reported = [(poll.status.session_state, poll.changed) for poll in polls]
    assert ("waiting_input", True) in reported


def test_idle_session_is_idle_at_the_first_read(stage: SessionHarness) -> None:
    stage.spawn()
    outcome, _, took = watch(stage)
    assert (outcome.reason, outcome.polls) == ("waiting_input", 1)
    assert took < 2


# -- turns ----------------------------------------------------------------------------------------------------------


def test_scenario_26_follow_up_waits_for_the_new_turn(stage: SessionHarness) -> None:
    stage.spawn("[say one]")
    assert watch(stage, waiting_requires_turn_complete=True)[0].reason == "waiting_input_turn_complete"
    assert stage.send("[wait 1.5] [say two]").code == 0
    outcome, _, took = watch(stage, waiting_requires_turn_complete=True)
    assert outcome.reason == "waiting_input_turn_complete"
    assert took > 0.5
    assert stage.transcript("assistant")[-1]["text"].endswith("two")


def test_question_is_no_complete_turn(stage: SessionHarness) -> None:
    stage.spawn("[ask really?]")
    wait_until(lambda: stage.status().session_state == "waiting_input")
    outcome, _, _ = watch(stage, waiting_requires_turn_complete=True, timeout_seconds=1)
    assert outcome.timed_out


# -- markers --------------------------------------------------------------------------------------------------------


def test_scenario_21_a_marker_in_the_prompt_alone_is_not_found(stage: SessionHarness) -> None:
    stage.spawn("print MARK_21 [wait 30]")
    outcome, _, _ = watch(stage, until_marker="MARK_21", timeout_seconds=1)
    assert outcome.timed_out


def test_scenario_21_a_marker_in_the_answer_is_found(stage: SessionHarness) -> None:
    stage.spawn("print MARK_21 [wait 1] [say MARK_21] [wait 30]")
    outcome, _, took = watch(stage, until_marker="MARK_21")
    assert (outcome.reason, outcome.exit_code) == ("marker_found", 0)
    assert took < 10


def test_scenario_21_echoed_command_line_is_not_output(stage: SessionHarness) -> None:
    stage.run("bash --norc -i")
    wait_until(lambda: stage.status().session_state == "waiting_input")
    stage.send("sleep 1; echo MARK_21; sleep 30")
    began = time.monotonic()
    outcome, _, _ = watch(stage, until_marker="MARK_21", stop_on_waiting=False)
    assert outcome.reason == "marker_found"
    assert time.monotonic() - began > 0.3, "the echo of the command line is no output"


def test_marker_before_the_last_input_does_not_count(stage: SessionHarness) -> None:
    stage.run("bash --norc -i")
    wait_until(lambda: stage.status().session_state == "waiting_input")
    stage.send("echo MARK_$((20 + 1))")
    stage.wait_for_text("MARK_21")
    stage.send("sleep 30")
    outcome, _, _ = watch(stage, until_marker="MARK_21", stop_on_waiting=False, timeout_seconds=1)
    assert outcome.timed_out


def test_scenario_22_a_marker_wrapped_in_a_narrow_pane_is_found(stage: SessionHarness) -> None:
    narrow = ["--command", "sleep 0.5; echo A_LONG_MARKER_THAT_DOES_NOT_FIT_INTO_THIRTY_COLUMNS; sleep 600"]
    assert stage.lisa("spawn", *narrow, "--width", "30").code == 0
    outcome, _, _ = watch(stage, until_marker="A_LONG_MARKER_THAT_DOES_NOT_FIT_INTO_THIRTY_COLUMNS")
    assert outcome.reason == "marker_found"


def test_marker_that_has_scrolled_away_is_found(stage: SessionHarness) -> None:
    stage.run("echo MARK_EARLY; seq 1 3000; sleep 600")
    stage.wait_for_text("3000")
    assert watch(stage, until_marker="MARK_EARLY")[0].reason == "marker_found"


def test_marker_in_fast_output_is_found(stage: SessionHarness) -> None:
    stage.run("sleep 1; seq 1 2000; echo MARK_FAST; seq 1 2000; sleep 600")
    assert watch(stage, until_marker="MARK_FAST")[0].reason == "marker_found"


def test_marker_printed_at_the_end_is_found_first(stage: SessionHarness) -> None:
    stage.run("sleep 0.5; echo MARK_LAST")
    assert watch(stage, until_marker="MARK_LAST")[0].reason == "marker_found"


# -- sessions that are not there ------------------------------------------------------------------------------------


def test_scenario_34_monitor_of_an_unknown_name_leaves_no_file(stage: SessionHarness) -> None:
    outcome, _, _ = watch(stage)
    assert (outcome.reason, outcome.exit_code, outcome.code) == ("not_found", 2, "monitor_not_found")
    assert outcome.polls == 1
    assert not [path for path in (stage.machine.folder / "state").rglob("*") if stage.name in path.name]


def test_awaited_not_found_is_a_success(stage: SessionHarness) -> None:
    outcome, _, _ = watch(stage, until_state="not_found")
    assert (outcome.reason, outcome.exit_code, outcome.code) == ("not_found", 0, "")


# -- recovery -------------------------------------------------------------------------------------------------------


def test_recovery_presses_enter_once_and_continues(stage: SessionHarness) -> None:
    stage.run("read -r line; echo got it; sleep 600")
    wait_until(lambda: stage.status().session_state == "waiting_input")
    outcome, _, _ = watch(
        stage, auto_recover=True, stop_on_waiting=False, until_marker="got it", timeout_seconds=1, poll_interval=1
    )
    assert (outcome.reason, outcome.recoveries) == ("marker_found", 1)
    assert "monitor_auto_recover" in stage.event_reasons()


def test_recovery_skips_dead_panes_and_dialogs(stage: SessionHarness) -> None:
    stage.spawn("[ask run it?]")
    wait_until(lambda: stage.status().waiting_for == "permission")
    outcome, _, _ = watch(stage, auto_recover=True, stop_on_waiting=False, timeout_seconds=1)
    assert (outcome.timed_out, outcome.recoveries) == (True, 0)
    assert stage.status().waiting_for == "permission"
    assert "monitor_auto_recover" not in stage.event_reasons()


def test_recovery_budget_ends_recovery(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    wait_until(lambda: stage.status().session_state == "in_progress")
    limits = {"max_polls": 2, "counts_polls": True, "timeout_seconds": 0, "poll_interval": 1}
    outcome, polls, _ = watch(stage, auto_recover=True, recover_max=5, recover_budget=3, **limits)
    assert (outcome.recoveries, outcome.polls, len(polls)) == (1, 1, 3)


# -- what is written down -------------------------------------------------------------------------------------------


def test_several_monitors_record_each_change_once(stage: SessionHarness) -> None:
    stage.spawn("[wait 1] [say done]")
    other = threading.Thread(
        target=lambda: run_monitor(stage.machine.context(), stage.ref, StopRules(timeout_seconds=LONG_TIMEOUT_SECONDS))
    )
    other.start()
    watch(stage)
    other.join()
    found = [event for event in events.read_tail(stage.ref, 100).events if event.type == "transition"]
    assert [event.state for event in found].count("waiting_input") == 1
    assert stage.event_reasons().count("monitor_waiting_input") == 2


def test_monitor_of_an_unchanged_session_adds_no_events(stage: SessionHarness) -> None:
    stage.spawn()
    watch(stage)
    before = len(events.read_tail(stage.ref, 100).events)
    watch(stage, stop_on_waiting=False, timeout_seconds=1)
    after = events.read_tail(stage.ref, 100).events
    assert [event.reason for event in after[before:]] == ["monitor_max_polls_exceeded"]


def test_last_screen_of_an_ended_session_is_kept_privately(stage: SessionHarness) -> None:
    stage.run("echo the last words")
    outcome, _, _ = watch(stage)
    assert outcome.output_file == stage.ref.output
    assert "the last words" in Path(outcome.output_file).read_text()
    assert os.stat(outcome.output_file).st_mode & 0o777 == 0o600


def test_symlinked_output_file_is_replaced_not_followed(stage: SessionHarness) -> None:
    victim = stage.machine.folder / "victim"
    victim.write_text("mine")
    stage.run("echo words")
    stage.wait_until_ended()
    os.symlink(victim, stage.ref.output)
    watch(stage)
    assert victim.read_text() == "mine"
