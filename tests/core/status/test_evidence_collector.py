"""Evidence of real sessions: ends of every kind, lost signals and false records; reading leaves no trace."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lisa_py.contract.records import SessionMeta, SessionState
from lisa_py.core.context import Context
from lisa_py.core.status import status_reader
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.evidence_collector import collect_evidence
from lisa_py.host import processes
from lisa_py.host.env import read_settings
from lisa_py.store import session_records
from tests.lisa_host import LisaHost, find_server_pid
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def seen(stage: SessionHarness) -> Evidence:
    return collect_evidence(stage.ctx, [stage.ref])[0]


def pane_pid(stage: SessionHarness) -> int:
    pane = stage.ctx.server(stage.ref).find_pane(stage.name)
    assert pane is not None
    return pane.pid


def tree(folder: Path) -> list[tuple[str, int, float]]:
    """Return every file below a folder with size and time of change."""
    return sorted(
        (str(path), path.stat().st_size, path.stat().st_mtime) for path in folder.rglob("*") if path.name != "heartbeat"
    )


# -- ends -----------------------------------------------------------------------------------------------------------


def test_end_with_a_code_is_reported_with_it(stage: SessionHarness) -> None:
    stage.run("exit 7")
    stage.wait_until_ended()
    status = stage.status()
    assert (status.session_state, status.classification_reason, status.exit_code) == ("crashed", "done_file", 7)


def test_scenario_12_killed_supervisor_is_a_crash(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    wait_until(lambda: stage.status().session_state == "in_progress")
    os.kill(pane_pid(stage), signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: stage.status().session_state == "crashed", timeout=8)
    assert time.monotonic() - began < 8


def test_scenario_12_agent_outlives_its_supervisor(stage: SessionHarness) -> None:
    stage.run("trap '' HUP TERM; while :; do sleep 1; done")
    wait_until(lambda: stage.status().session_state == "in_progress")
    os.kill(pane_pid(stage), signal.SIGKILL)
    wait_until(lambda: stage.status().session_state == "crashed", timeout=8)


def test_scenario_33_pane_killed_with_9_is_a_crash(stage: SessionHarness) -> None:
    tmux = stage.ctx.server(stage.ref)
    pane = tmux.new_session(stage.name, ["/bin/sleep", "600"], root=str(stage.machine.project), width=80, height=24)
    os.kill(pane.pid, signal.SIGKILL)
    wait_until(lambda: (shown := tmux.find_pane(stage.name)) is not None and shown.dead)
    status = stage.status()
    assert (status.session_state, status.classification_reason) == ("crashed", "pane_crashed")


def test_exit_status_is_known_if_tmux_missed_the_end(stage: SessionHarness) -> None:
    """tmux 3.3a misses one of five exits; a read makes it reap its children."""
    tmux = stage.ctx.server(stage.ref)
    for number in range(8):
        name = f"lisa-short-{number}"
        ref = stage.ctx.ref(name, str(stage.machine.project))
        argv = ["/bin/sh", "-c", "exit 3"]
        tmux.new_session(name, argv, root=str(stage.machine.project), width=80, height=24)
        status = wait_until(
            lambda ref=ref: (now := status_reader.read_status(stage.ctx, ref)).session_state != "in_progress" and now
        )
        assert (status.session_state, status.classification_reason) == ("crashed", "pane_exited_nonzero")


def test_end_record_of_another_run_does_not_count(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    Path(stage.ref.done).write_text("12345:0\n")
    status = wait_until(lambda: (now := stage.status()).signals.done_file_run_mismatch and now)
    assert status.session_state == "in_progress"


def test_malformed_end_record_is_reported_and_ignored(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    wait_until(lambda: stage.status().session_state == "in_progress")
    Path(stage.ref.done).write_text("garbage\n")
    status = stage.status()
    assert status.session_state == "in_progress"
    assert "done" in str(status.signals.done_file_read_error)


def test_reused_pane_process_id_is_not_the_session(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    meta = session_records.read_meta(stage.ref)
    assert meta is not None
    meta.pane_started -= 1
    session_records.write_meta(stage.ref, meta)
    assert stage.status().classification_reason == "supervisor_lost"


def test_stopped_agent_is_stuck_until_it_continues(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    agent = stage.wait_for_agent_pid()
    os.kill(agent, signal.SIGSTOP)
    status = wait_until(lambda: (now := stage.status()).session_state == "stuck" and now)
    assert status.classification_reason == "process_stopped"
    os.kill(agent, signal.SIGCONT)
    wait_until(lambda: stage.status().session_state == "in_progress")


# -- tmux -----------------------------------------------------------------------------------------------------------


def test_scenario_16_without_tmux_a_live_session_is_degraded(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    bare = read_settings({**stage.machine.env, "PATH": str(stage.machine.bin)})
    status = status_reader.read_status(Context(bare, cwd=str(stage.machine.project)), stage.ref)
    assert (status.session_state, status.error_code) == ("degraded", "tmux_missing")


def test_unresponsive_tmux_is_degraded_not_missing(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    server = find_server_pid(stage.ctx.server(stage.ref))
    os.kill(server, signal.SIGSTOP)
    try:
        stage.machine.env["LISA_CMD_TIMEOUT_SECONDS"] = "1"
        status = status_reader.read_status(stage.machine.context(), stage.ref)
    finally:
        os.kill(server, signal.SIGCONT)
    assert (status.session_state, status.error_code) == ("degraded", "tmux_unavailable")


def test_killed_tmux_server_crashes_only_living_sessions(machine: LisaHost) -> None:
    working, finished = (
        SessionHarness(machine, "lisa-w").run("sleep 600"),
        SessionHarness(machine, "lisa-f").run("true"),
    )
    finished.wait_until_ended()
    server = find_server_pid(working.ctx.server(working.ref))
    os.kill(server, signal.SIGKILL)
    lost = wait_until(lambda: (now := working.status()).session_state == "crashed" and now)
    assert lost.classification_reason in ("tmux_server_lost", "done_file")
    assert finished.status().session_state == "completed"


def test_tmux_session_killed_by_hand_is_not_found_with_detail(stage: SessionHarness) -> None:
    stage.run("exit 3")
    stage.wait_until_ended()
    keeper = SessionHarness(stage.machine, "lisa-keeper").run("sleep 600")
    stage.ctx.server(stage.ref).kill_session(stage.name)
    status = stage.status()
    assert (status.session_state, status.exit_code, status.agent_state) == ("not_found", 3, "exited")
    assert keeper.status().session_state != "not_found"


# -- records --------------------------------------------------------------------------------------------------------


def test_unreadable_metadata_of_a_living_session_is_degraded(stage: SessionHarness) -> None:
    stage.run("sleep 600")
    Path(stage.ref.meta).write_text("{")
    status = stage.status()
    assert (status.session_state, status.classification_reason) == ("degraded", "meta_read_error")
    assert Path(stage.ref.meta).read_text() == "{", "reading repairs nothing"


def test_unreadable_state_file_is_reported_only(stage: SessionHarness) -> None:
    stage.run("cat")
    wait_until(lambda: stage.status().session_state == "waiting_input")
    Path(stage.ref.state).write_text("[]")
    status = stage.status()
    assert status.session_state == "waiting_input"
    assert "state.json" in str(status.signals.state_read_error)


def test_session_without_records_is_judged_by_its_processes(stage: SessionHarness) -> None:
    name = "lisa-proj-260101-000000-000000001-codex-interactive"
    ref = stage.ctx.ref(name, str(stage.machine.project))
    tmux = stage.ctx.server(stage.ref)
    tmux.new_session(name, ["/bin/cat"], root=str(stage.machine.project), width=80, height=24)
    status = wait_until(
        lambda ref=ref: (now := status_reader.read_status(stage.ctx, ref)).session_state == "waiting_input" and now
    )
    assert (status.agent, status.mode) == ("codex", "interactive")


def test_hints_override_detection(stage: SessionHarness) -> None:
    stage.run("cat")
    wait_until(lambda: stage.status().session_state == "waiting_input")
    as_exec = status_reader.read_status(stage.ctx, stage.ref, agent="codex", mode="exec")
    assert (as_exec.agent, as_exec.mode, as_exec.session_state) == ("codex", "exec", "in_progress")


def test_suspended_machine_makes_nothing_stale_or_stuck(stage: SessionHarness) -> None:
    """After a suspend every age is hours, but the heartbeat loop is alive."""
    stage.run("cat")
    wait_until(lambda: stage.status().session_state == "waiting_input")
    hours_ago = time.time() - 9 * 3600
    os.utime(stage.ref.heartbeat, (hours_ago, hours_ago))
    assert stage.status().session_state == "waiting_input"


# -- looking --------------------------------------------------------------------------------------------------------


def test_reading_leaves_no_trace(stage: SessionHarness) -> None:
    stage.spawn()
    before = tree(stage.machine.folder / "state")
    for _ in range(5):
        status_reader.read_status(stage.ctx, stage.ref, screen=True)
        status_reader.read_statuses(stage.ctx, [stage.ref])
    assert tree(stage.machine.folder / "state") == before


def test_repeated_reads_do_not_change_the_answer(stage: SessionHarness) -> None:
    """Counting reads instead of seconds would report a working agent as idle."""
    stage.run("python3 -c 'import time; time.sleep(600)'")
    wait_until(lambda: stage.status().session_state == "in_progress")
    assert {stage.status().session_state for _ in range(12)} == {"in_progress"}


def test_reading_many_equals_reading_each(machine: LisaHost) -> None:
    commands = {"lisa-a": "cat", "lisa-b": "sleep 600", "lisa-c": "exit 2", "lisa-d": "true"}
    stages = [SessionHarness(machine, name).run(command) for name, command in commands.items()]
    for stage in stages[2:]:
        stage.wait_until_ended()
    wait_until(lambda: stages[0].status().session_state == "waiting_input")
    wait_until(lambda: stages[1].status().session_state == "in_progress")
    together = status_reader.read_statuses(stages[0].ctx, [stage.ref for stage in stages])
    for stage in stages:
        alone = stage.status()
        assert (together[stage.name].session_state, together[stage.name].classification_reason) == (
            alone.session_state,
            alone.classification_reason,
        )


def test_one_process_pass_finds_the_same_trees() -> None:
    with subprocess.Popen(["/bin/sh", "-c", "sleep 60 & sleep 60"]) as shell:
        try:
            wait_until(lambda: [item.argv[:1] for item in processes.read_tree(shell.pid)][1:] == [("sleep",)] * 2)
            many = [shell.pid, *range(2**22, 2**22 + 10)]
            walked = {process.pid: process.argv for process in processes.read_tree(shell.pid)}
            assert {process.pid: process.argv for process in processes.read_trees(many)[shell.pid]} == walked
        finally:
            for process in processes.read_tree(shell.pid)[::-1]:
                processes.send_signal(process, signal.SIGKILL)


def test_idle_before_the_newest_input_is_no_answer(stage: SessionHarness) -> None:
    stage.spawn()
    assert stage.status().session_state == "waiting_input"
    now = stage.ctx.clock.now()

    def sent(state: SessionState) -> None:
        state.last_input_at, state.last_input_expects_turn = now, True

    session_records.change_state(stage.ref, stage.ctx.settings, now, sent)
    assert stage.status().classification_reason == "prompt_pending"


def test_metadata_without_a_pane_is_not_found(machine: LisaHost) -> None:
    stage = SessionHarness(machine)
    os.makedirs(stage.ref.folder)
    session_records.write_meta(stage.ref, SessionMeta(session=stage.name, project_root=str(machine.project)))
    assert stage.status().session_state == "not_found"
