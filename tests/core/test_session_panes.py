"""Sessions are found by recorded ids: renamed, split, moved, and on a server whose socket was removed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.core.lifecycle import kill
from lisa_py.host import processes, socket_restore
from lisa_py.store import session_records
from tests.lisa_host import LisaHost, find_server_pid
from tests.polling import wait_until
from tests.session_harness import SessionHarness

READER = "stty -echo; echo own $$; while read -r line; do echo got $line; done"


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    stage = SessionHarness(machine).run(READER)
    wait_until(lambda: stage.status().session_state == "waiting_input")
    return stage


def tmux(stage: SessionHarness, *words: str) -> None:
    answer = stage.ctx.tmux(stage.ref.project).call(*words)
    assert answer.code == 0, answer.error_text


def names(stage: SessionHarness) -> list[str]:
    answer = stage.machine.lisa("session", "list", "--json")
    return [item if isinstance(item, str) else item["session"] for item in answer.json["sessions"]]


def talk(stage: SessionHarness) -> None:
    """The session accepts a text and shows its answer, by every command that reads its pane."""
    sent = stage.send("hello")
    assert sent.json["ok"], sent
    wait_until(lambda: "got hello" in stage.lisa("capture", "--raw").out)
    assert stage.lisa("exists").json["exists"]
    assert "got hello" in stage.lisa("packet", "--lines", "50").out


def agent_pid(stage: SessionHarness) -> int:
    return stage.wait_for_agent_pid()


# -- names and places ---------------------------------------------------------------------------------------------


def test_renamed_session_is_found_with_a_note(stage: SessionHarness) -> None:
    tmux(stage, "rename-session", "-t", f"={stage.name}", "work")
    status = stage.status()
    assert (status.session_state, status.state_detail) == (
        "waiting_input",
        "bash reads its terminal; its tmux session is named work",
    )
    assert names(stage) == [stage.name]
    talk(stage)
    again = stage.lisa("spawn", "--command", "true")
    assert again.json["errorCode"] == "session_already_exists"
    assert stage.lisa("kill").json["found"]
    assert stage.ctx.tmux(stage.ref.project).list_panes() == []


def test_split_window_does_not_hide_the_session(stage: SessionHarness) -> None:
    tmux(stage, "split-window", "-b", "-t", f"={stage.name}:", "--", "sh", "-c", "echo intruder; exec sleep 600")
    talk(stage)
    for words in (("capture", "--raw"), ("packet", "--lines", "50"), ("snapshot",), ("status", "--full")):
        assert "intruder" not in stage.lisa(*words).out
    stage.lisa("kill")
    assert stage.ctx.tmux(stage.ref.project).list_panes() == []


@pytest.mark.parametrize("how", ["break-pane", "join-pane"])
def test_moved_pane_is_found_and_killed_alone(stage: SessionHarness, how: str) -> None:
    other = SessionHarness(stage.machine, "lisa-other").run("sleep 600")
    server = stage.ctx.tmux(stage.ref.project)
    pane = server.find_pane(stage.name)
    assert pane is not None
    tmux(stage, "split-window", "-d", "-t", pane.pane_id, "--", "sleep", "600")
    tmux(stage, how, "-d", "-s", pane.pane_id, "-t", "=lisa-other:")
    assert stage.status().state_detail.endswith("; its pane is in tmux session lisa-other")
    assert names(stage) == ["lisa-other", stage.name]
    talk(stage)
    assert stage.lisa("kill").json["found"]
    assert [pane.session for pane in server.list_panes()] == ["lisa-other"], "the pane that a person opened ends too"
    assert other.status().session_state == "in_progress"


def test_kill_leaves_a_pane_of_another_session(stage: SessionHarness) -> None:
    other = SessionHarness(stage.machine, "lisa-other").run("sleep 600")
    pane = stage.ctx.tmux(stage.ref.project).find_pane("lisa-other")
    assert pane is not None
    tmux(stage, "join-pane", "-d", "-s", pane.pane_id, "-t", f"={stage.name}:")
    assert stage.lisa("kill").json["found"]
    assert other.status().session_state == "in_progress"
    assert names(stage) == ["lisa-other"]


def test_pane_named_by_a_person_is_not_a_session(stage: SessionHarness) -> None:
    pid = agent_pid(stage)
    tmux(stage, "rename-session", "-t", f"={stage.name}", "lisa-taken")
    taken = SessionHarness(stage.machine, "lisa-taken")
    assert taken.lisa("exists").json["exists"] is False
    assert taken.status().session_state == "not_found"
    assert taken.lisa("kill").json["found"] is False
    assert taken.lisa("spawn", "--command", "true").json["errorCode"] == "session_already_exists"
    assert names(stage) == [stage.name]
    assert processes.is_running(pid, 0)
    assert stage.machine.lisa("session", "kill-all", "--json").json["sessions"] == [stage.name]


def test_foreign_pane_of_the_name_is_not_the_session(stage: SessionHarness) -> None:
    pane = stage.ctx.tmux(stage.ref.project).find_pane(stage.name)
    assert pane is not None
    tmux(stage, "split-window", "-d", "-t", pane.pane_id, "--", "sleep", "600")
    tmux(stage, "kill-pane", "-t", pane.pane_id)
    wait_until(lambda: stage.status().session_state == "not_found")
    assert stage.send("x").json["errorCode"] == "session_not_found"
    assert stage.lisa("spawn", "--command", "true").json["errorCode"] == "session_already_exists"
    assert Path(stage.ref.meta).exists()
    stage.lisa("kill")
    assert stage.ctx.tmux(stage.ref.project).list_panes() == []


# -- the socket ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("removed", ["socket", "folder"])
def test_removed_socket_is_created_again(stage: SessionHarness, removed: str) -> None:
    pid, server = agent_pid(stage), find_server_pid(stage.ctx.tmux(stage.ref.project))
    socket = Path(stage.ctx.tmux(stage.ref.project).socket)
    socket.unlink() if removed == "socket" else shutil.rmtree(socket.parent)
    assert stage.lisa("status").json["sessionState"] == "waiting_input"
    talk(stage)
    for words in (("list",), ("spawn", "--session", "lisa-new", "--command", "sleep 600")):
        socket.unlink()
        assert stage.machine.lisa("session", *words, "--json").code == 0
    assert names(stage) == ["lisa-new", stage.name]
    assert find_server_pid(stage.ctx.tmux(stage.ref.project)) == server
    assert processes.is_running(pid, 0)
    assert not os.path.exists(f"{socket}.lock")


def test_removed_socket_and_spawn_of_the_same_name(stage: SessionHarness) -> None:
    pid = agent_pid(stage)
    os.unlink(stage.ctx.tmux(stage.ref.project).socket)
    assert stage.lisa("spawn", "--command", "true").json["errorCode"] == "session_already_exists"
    assert processes.is_running(pid, 0)
    os.unlink(stage.ctx.tmux(stage.ref.project).socket)
    assert stage.lisa("spawn", "--command", "sleep 600", "--replace").json["replaced"] is True
    assert not processes.is_running(pid, 0)
    assert stage.status().session_state == "in_progress"


def test_ended_session_keeps_its_state_without_socket(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("exit 0")
    stage.wait_until_ended()
    socket = Path(stage.ctx.tmux(stage.ref.project).socket)
    socket.unlink()
    assert stage.status().session_state == "completed"
    assert socket.exists()


def test_socket_of_a_new_server_is_kept(stage: SessionHarness) -> None:
    """A signal would make the old server take the path from the new one."""
    pid, tmux_server = agent_pid(stage), stage.ctx.tmux(stage.ref.project)
    os.unlink(tmux_server.socket)
    newcomer = ["tmux", "-S", tmux_server.socket, "-f", "/dev/null", "new-session", "-d", "-s", stage.name, "sleep 600"]
    subprocess.run(newcomer, env=stage.machine.env, check=True)
    new_server = find_server_pid(tmux_server)
    status = stage.status()
    assert (status.session_state, status.classification_reason) == ("degraded", "tmux_unavailable")
    assert names(stage) == [stage.name]
    assert stage.send("x").json["errorCode"] == "tmux_unavailable"
    with pytest.raises(TmuxUnavailable):
        stage.ctx.find_pane(stage.ref)
    assert stage.lisa("spawn", "--command", "true").json["errorCode"] == "session_already_exists"
    assert processes.is_running(pid, 0)
    assert find_server_pid(tmux_server) == new_server
    assert kill.kill_session(stage.ctx, stage.ref).found
    assert not processes.is_running(pid, 0)


def test_only_the_recorded_server_is_asked(machine: LisaHost, stage: SessionHarness) -> None:
    socket = stage.ctx.tmux(stage.ref.project).socket
    server = processes.read_process(find_server_pid(stage.ctx.tmux(stage.ref.project)))
    assert server is not None and socket_restore.is_server_of(server, socket)
    assert not socket_restore.is_server_of(server, socket + "2")
    innocent = psutil.Popen(["sleep", "600"])
    try:
        meta = session_records.read_meta(stage.ref)
        assert meta is not None
        meta.server_pid, process = innocent.pid, processes.read_process(innocent.pid)
        assert process is not None
        meta.server_started = process.started
        session_records.write_meta(stage.ref, meta)
        os.unlink(socket)
        assert stage.status().session_state == "degraded"
        assert innocent.is_running() and not os.path.exists(socket)
        meta.server_pid = 0  # as records of older versions: the server is the supervisor's parent
        session_records.write_meta(stage.ref, meta)
        assert stage.status().session_state == "waiting_input"
    finally:
        innocent.kill()
        innocent.wait()


# -- ends ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["cleanup", "kill"])
def test_ended_session_stays_completed_among_others(machine: LisaHost, end: str) -> None:
    stage = SessionHarness(machine, "lisa-ended").run("exit 0")
    stage.wait_until_dead()
    if end == "cleanup":
        machine.lisa("cleanup", "--json")
    else:
        os.kill(find_server_pid(stage.ctx.tmux(stage.ref.project)), signal.SIGKILL)
    wait_until(lambda: stage.ctx.tmux(stage.ref.project).is_listening() is False)
    assert stage.status().session_state == "completed"
    new = SessionHarness(machine, "lisa-new").run("sleep 600")
    assert stage.status().session_state == "completed"
    new.lisa("kill")
    assert stage.status().session_state == "completed"
