"""A machine without file handles, processes or memory is reported as that, never as a defect or a missing session."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.host import limits, run
from tests.lisa_host import PROGRAM, LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

CODES = {"too_many_open_files", "too_many_processes", "out_of_memory"}
READS = {"list", "status", "capture", "kill"}
"""They open one file or socket at a time and start no process (`kill` of a missing session)."""


@pytest.mark.parametrize(
    ("problem", "at_start", "code"),
    [
        (OSError(errno.EMFILE, "x"), False, "too_many_open_files"),
        (OSError(errno.ENFILE, "x"), False, "too_many_open_files"),
        (BlockingIOError(errno.EAGAIN, "x"), True, "too_many_processes"),
        (BlockingIOError(errno.EAGAIN, "x"), False, ""),
        (OSError(errno.ENOMEM, "x"), True, "out_of_memory"),
        (MemoryError(), False, "out_of_memory"),
        (ImportError("x.so: cannot open shared object file: Too many open files"), False, "too_many_open_files"),
        (ImportError("No module named 'x'"), False, ""),
        (RuntimeError("can't start new thread"), False, "too_many_processes"),
        (RuntimeError("other"), False, ""),
        (OSError(errno.ENOENT, "x"), True, ""),
    ],
)
def test_each_shortage_has_its_code(problem: BaseException, at_start: bool, code: str) -> None:
    found = limits.find_shortage(problem, at_start=at_start)
    assert (found.code if found else "") == code


def run_with_handles(machine: LisaHost, count: int, *words: str) -> tuple[int, str, str]:
    argv = ["/bin/sh", "-c", f'ulimit -n {count}; exec "$@"', "sh", *PROGRAM, *words, "--json"]
    ended = subprocess.run(argv, env=machine.env, cwd=machine.project, capture_output=True, check=False, timeout=60)
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("status", "--session", "lisa-stage-1"),
        ("capture", "--session", "lisa-stage-1", "--raw"),
        ("send", "--session", "lisa-stage-1", "--text", "x"),
        ("monitor", "--session", "lisa-stage-1", "--timeout-seconds", "1"),
        ("wait", "--timeout-seconds", "1"),
        ("kill", "--session", "lisa-none"),
        ("spawn", "--session", "lisa-new", "--command", "true"),
    ],
    ids=lambda words: words[0],
)
def test_few_handles_give_an_answer_or_an_error_code(machine: LisaHost, words: tuple[str, ...]) -> None:
    stage = SessionHarness(machine).run("sleep 600")
    wait_until(lambda: stage.status().session_state == "in_progress")
    refused = 0
    for count in range(6, 17):
        _, out, err = run_with_handles(machine, count, "session", *words)
        lines = [line for line in out.splitlines() if line]
        if not lines:  # too few for the interpreter itself
            assert "Too many open files" in err or "Error 24" in err or count < 12, err
            continue
        answer = json.loads(lines[-1])
        assert answer.get("errorCode") != "internal_error", answer
        refused += answer.get("errorCode") == "too_many_open_files"
        if "sessionState" in answer:
            assert answer["sessionState"] == "in_progress", answer
        if words[0] == "spawn":
            there = stage.ctx.tmux(stage.ref.project).find_pane("lisa-new") is not None
            assert there == ("panePid" in answer), answer
            stage.machine.lisa("session", "kill", "--session", "lisa-new")
    assert bool(refused) != (words[0] in READS)
    assert not (machine.folder / "state" / "logs").exists()


def test_process_limit_is_reported(tmp_path: object) -> None:
    script = (
        "import os,resource,sys\n"
        "from lisa_py.host import run\n"
        "import subprocess\n"
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))\n"
        "try: run.run_program(['/bin/true'], timeout=5)\n"
        "except Exception as problem: print(problem.code)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=60,
                           env={**os.environ, "PYTHONPATH": os.getcwd()})  # fmt: skip
    assert ended.stdout.decode().strip() == "too_many_processes", ended


@pytest.mark.parametrize(
    ("text", "code"),
    [("create window failed: fork failed: Resource temporarily unavailable", "too_many_processes"),
     ("create window failed: Too many open files", "too_many_open_files")],
)  # fmt: skip
def test_shortage_of_the_tmux_server_has_its_code(machine: LisaHost, text: str, code: str) -> None:
    machine.add_program("tmux", f"#!/bin/sh\necho '{text}' >&2; exit 1\n")
    with pytest.raises(TmuxUnavailable) as problem:
        machine.context().tmux(machine.context().project()).kill_session("lisa-x")
    assert problem.value.code == code
    spawned = machine.lisa("session", "spawn", "--session", "lisa-x", "--command", "true", "--json")
    assert spawned.json["errorCode"] == code


def test_required_handles_are_closed_again() -> None:
    before = len(os.listdir("/proc/self/fd"))
    limits.require_handles(20)
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(LisaError) as problem:
        limits.require_handles(10_000_000)
    assert problem.value.code == "too_many_open_files"
    assert len(os.listdir("/proc/self/fd")) == before
    assert run.run_program(["/bin/true"], timeout=5).code == 0
