"""host/processes: the direct reads agree with psutil."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from msgspec import structs

from lisa_py.host import processes
from tests.polling import wait_until

TREE = "import subprocess, sys; subprocess.run(['sleep', '60'])"


@pytest.fixture
def parent() -> Iterator[psutil.Process]:
    """A process with one child."""
    started = subprocess.Popen([sys.executable, "-c", TREE, "odd ) name"])
    try:
        yield psutil.Process(started.pid)
    finally:
        for child in psutil.Process(started.pid).children():
            child.kill()
        started.kill()
        started.wait()


def test_tree_agrees_with_psutil(parent: psutil.Process) -> None:
    child = wait_until(lambda: next((each for each in parent.children() if each.name() == "sleep"), None))
    found = processes.read_tree(parent.pid)
    assert [each.pid for each in found] == [parent.pid, child.pid]
    for read, expected in zip(found, (parent, child), strict=True):
        assert (read.ppid, read.name, list(read.argv)) == (expected.ppid(), expected.name(), expected.cmdline())
        times = expected.cpu_times()
        assert read.cpu_seconds == pytest.approx(times.user + times.system, abs=0.05)
        assert read.alive


def test_portable_read_agrees_with_the_direct_one(parent: psutil.Process) -> None:
    wait_until(lambda: any(each.name() == "sleep" for each in parent.children()))
    direct, portable = processes.read_tree(parent.pid), processes._read_tree_portable(parent.pid)
    assert [(each.pid, each.ppid, each.name, each.argv) for each in direct] == [
        (each.pid, each.ppid, each.name, each.argv) for each in portable
    ]
    assert direct[1].started >= direct[0].started and portable[1].started >= portable[0].started


def test_environment_is_that_of_the_start_and_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISA_TEST_VALUE", "a=b\nü")
    child = psutil.Popen(["sleep", "100"])
    try:
        found = processes.read_process(child.pid)
        assert found is not None
        environ = wait_until(lambda: processes.read_environment(found))  # Linux fills it a moment after exec
        assert environ["LISA_TEST_VALUE"] == "a=b\nü"
        assert processes.read_environment(structs.replace(found, started=found.started + 1)) == {}
    finally:
        child.kill()
        child.wait()
    assert processes.read_environment(found) == {}


def test_working_folder_is_the_current_one(tmp_path: Path) -> None:
    child = psutil.Popen(["sleep", "100"], cwd=tmp_path)
    try:
        found = processes.read_process(child.pid)
        assert found is not None
        assert processes.read_working_folder(found) == str(tmp_path) == processes._working_folder_portable(child.pid)
    finally:
        child.kill()
        child.wait()
    assert processes.read_working_folder(found) == ""


def test_identity_is_pid_and_start_time(parent: psutil.Process) -> None:
    found = processes.read_process(parent.pid)
    assert found is not None
    assert processes.is_running(found.pid, found.started)
    assert not processes.is_running(found.pid, found.started + 1)
    assert processes.read_process(os.getpid()) is not None


def test_tree_has_more_children_than_one_read_returns() -> None:
    script = "exec 3<&0; i=0; while [ $i -lt 800 ]; do read x <&3 & i=$((i+1)); done; echo; wait"
    with subprocess.Popen(["sh", "-c", script], stdin=-1, stdout=-1) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert len(processes.read_tree(parent.pid, argv=False)) == 801


def test_process_whose_main_thread_has_ended_is_alive() -> None:
    thread = "threading.Thread(target=sys.stdin.read).start(); ctypes.CDLL(None).pthread_exit(None)"
    with psutil.Popen([sys.executable, "-c", f"import ctypes, sys, threading; {thread}"], stdin=-1) as child:
        wait_until(lambda: child.status() == psutil.STATUS_ZOMBIE)
        found = processes.read_process(child.pid)
        assert found is not None and found.alive and processes.is_running(found.pid, found.started)
        assert processes.send_signal(found, signal.SIGKILL)
        wait_until(lambda: not processes.is_running(found.pid, found.started))


def test_signal_is_for_the_process_not_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("another process may have the id by now")

    monkeypatch.setattr(os, "kill", refuse)
    with subprocess.Popen(["sleep", "600"]) as child:
        found = processes.read_process(child.pid)
        assert found is not None
        former = structs.replace(found, started=found.started - 1)
        assert processes.send_signal(former, signal.SIGKILL) is False
        assert processes.read_own_tree(former) == () and processes.read_own_tree(found)
        assert processes.send_signal(found, signal.SIGKILL) is True
        assert child.wait() == -signal.SIGKILL
        assert processes.send_signal(found, signal.SIGKILL) is False


def test_second_pass_reads_only_new_processes() -> None:
    """A process id that is used again has another number of its folder in /proc."""
    entry = f"LISA_TEST_ENTRY={os.urandom(8).hex()}"
    with subprocess.Popen(["sleep", "600"], env={"A": "b"}, start_new_session=True) as stranger:
        checked: set[tuple[int, int]] = set()
        wait_until(lambda: processes.find_by_environments([entry], checked) == {entry: ()} and checked)
        assert stranger.pid in {pid for pid, _ in checked}
        name, _, value = entry.partition("=")
        with subprocess.Popen(["sleep", "600"], env={name: value}, start_new_session=True) as carrier:
            wait_until(lambda: processes.find_by_environments([entry])[entry])
            carrying = (carrier.pid, os.stat(f"/proc/{carrier.pid}").st_ino)
            for known, pids in ((checked, [carrier.pid]), ({(carrier.pid, 1)}, [carrier.pid]), ({carrying}, [])):
                found = processes.find_by_environments([entry, "LISA_OTHER=x"], set(known))
                assert [process.pid for process in found[entry]] == pids
                assert found["LISA_OTHER=x"] == ()
            carrier.kill()
        stranger.kill()


def test_second_list_asks_only_for_new_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = processes.list_kernel_sessions()
    asked: list[int] = []
    find = processes._kernel_session
    monkeypatch.setattr(processes, "_kernel_session", lambda pid: (asked.append(pid), find(pid))[1])
    with psutil.Popen(["sleep", "60"], start_new_session=True) as new:
        now = processes.list_kernel_sessions(before)
        new.kill()
    assert new.pid in asked and new.pid in now[new.pid]
    assert os.getpid() not in asked and os.getpid() in now[os.getsid(0)]


@pytest.mark.parametrize(
    ("leader", "expected"),
    [
        ("has the entry", 2),
        ("has another value", 0),
        ("has none, from before", 0),
        ("has none, from after", 1),  # it may have replaced its environment
        ("has ended", 1),
    ],
)
def test_kernel_session_is_judged_by_its_leader(leader: str, expected: int) -> None:
    name, value = "LISA_TEST_ENTRY", os.urandom(8).hex()
    members = f"{name}={value} sleep 600 & {name}=x sleep 600 & echo $!"
    script = f"{members}; {'exit' if leader == 'has ended' else 'exec sleep 600'}"
    own = {"has the entry": value, "has another value": "y"}.get(leader)
    environment = {"PATH": os.environ["PATH"], **({name: own} if own else {})}
    since = float("inf") if "before" in leader else 0.0
    with subprocess.Popen(["sh", "-c", script], env=environment, start_new_session=True, stdout=-1, text=True) as first:
        assert first.stdout is not None
        first.stdout.readline()
        if leader == "has ended":
            first.wait()
        entry = f"{name}={value}"
        sleeping = 2 if leader == "has ended" else 3
        try:
            wait_until(lambda: len(list_sleepers(first.pid)) == sleeping)
            assert len(processes.find_by_environments([entry], since=since)[entry]) == expected
        finally:
            os.killpg(first.pid, signal.SIGKILL)


def list_sleepers(leader: int) -> list[int]:
    """Return the `sleep` processes of a kernel session."""
    found = [each.pid for each in psutil.process_iter(["name"]) if each.info["name"] == "sleep"]
    return [pid for pid in found if processes._kernel_session(pid) == leader]


def test_run_counters_change_when_a_process_has_run() -> None:
    child = subprocess.Popen([sys.executable, "-u", "-c", "print(input()); input()"], stdin=-1, stdout=-1, text=True)
    assert child.stdin is not None and child.stdout is not None
    try:
        wait_until(lambda: not _has_run(processes.read_run_counters([child.pid])), what="it waits for a line")
        counters = processes.read_run_counters([child.pid])
        child.stdin.write("x\n")
        child.stdin.flush()
        child.stdout.readline()
        assert processes.have_run(counters)
    finally:
        child.kill()
        child.communicate()
    assert processes.have_run(counters)
    assert processes.have_run({})


def _has_run(counters: dict[str, bytes]) -> bool:
    """Return True if a process has run within a moment."""
    deadline = time.monotonic() + 0.05
    while time.monotonic() < deadline:
        if processes.have_run(counters):
            return True
    return False
