"""host/run: output is returned and no process is left."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import stat
import time
import warnings

import psutil
import pytest

from lisa_py.host.run import ProgramCall, ProgramResult, run_program, run_programs


def _run(argv: list[str], stdin: bytes, until: bytes, *, timeout: float) -> ProgramResult:
    return run_programs([ProgramCall(argv=argv, stdin=stdin, until=until)], timeout=timeout)[0]


def _pipes() -> set[int]:
    """Return the open pipes of this process by inode, whatever else its threads open and close."""
    found = set()
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):  # the handle of the listing itself
            if stat.S_ISFIFO((file := os.fstat(int(name))).st_mode):
                found.add(file.st_ino)
    return found


def test_reply_before_end_of_input_is_read() -> None:
    script = 'read line; echo "said: $line"; exec sleep 60'
    began = time.monotonic()
    assert _run(["/bin/sh", "-c", script], b"hello\n", b"said:", timeout=30).out == b"said: hello\n"
    assert time.monotonic() - began < 20


def test_reply_after_closed_input_is_read() -> None:
    script = "exec 0<&-; sleep 0.2; echo said: yes"  # what we write meets a closed pipe before it answers
    assert _run(["/bin/sh", "-c", script], b"x" * 500_000, b"said:", timeout=30).out == b"said: yes\n"


@pytest.mark.parametrize("script", ["exit 2", "exec <&-; exec sleep 60", "exec >&-; exec sleep 60"])
def test_non_reading_program_leaves_no_child_and_no_pipe(script: str) -> None:
    before, children = _pipes(), psutil.Process().children()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for length in (1, 5_000, 300_000):  # what fits the buffer is written by closing, at the latest
            assert _run(["/bin/sh", "-c", script], b"x" * length, b"never", timeout=0.2).code in (None, 2)
        for _ in range(20):
            assert _run(["/bin/true"], b"x" * 5_000, b"never", timeout=0.2).out == b""
        gc.collect()
    assert _pipes() - before == set()
    assert psutil.Process().children() == children


def test_hanging_program_is_killed_with_its_children() -> None:
    began = time.monotonic()
    ended = run_program(["/bin/sh", "-c", "sleep 60 & sleep 60"], timeout=0.2, group=True)
    assert (ended.code, ended.out) == (None, b"")
    assert time.monotonic() - began < 20


def test_programs_run_beside_a_thousand_open_handles() -> None:
    """As those of a server with many sessions."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit[1], 2048), limit[1]))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        assert _run(["cat"], b"text", b"", timeout=10).out == b"text"
    finally:
        for handle in opened:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def test_ended_program_keeps_its_id_until_its_group_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the signal could hit the group of another process with the same id."""
    states, end_group = [], os.killpg

    def note_state(pid: int, number: int) -> None:
        states.append(psutil.Process(pid).status())
        end_group(pid, number)

    monkeypatch.setattr(os, "killpg", note_state)
    calls = [ProgramCall(argv=["sh", "-c", script]) for script in ("exit 3", "kill -KILL $$", "sleep 0.2")]
    assert [result.code for result in run_programs(calls, timeout=10)] == [3, -9, 0]
    assert states == [psutil.STATUS_ZOMBIE] * 3


def test_concurrent_programs_share_the_time_limit() -> None:
    calls = [
        ProgramCall(argv=["/bin/sh", "-c", text])
        for text in ("sleep 0.3; echo a", "sleep 0.3; echo b >&2; exit 3", "exec sleep 60", "echo c; sleep 60 &")
    ]
    began = time.monotonic()
    first, second, hung, left_child, missing = run_programs([*calls, ProgramCall(argv=["/no/such"])], timeout=2.0)
    assert time.monotonic() - began < 2.0 + 2.0
    assert (first.code, first.out) == (0, b"a\n")
    assert (second.code, second.err) == (3, b"b\n")
    assert hung.code is None
    assert (left_child.code, left_child.out) == (0, b"c\n")
    assert missing.code == 127 and b"/no/such" in missing.err


def test_input_of_a_program_ends_unless_it_is_awaited() -> None:
    assert _run(["/bin/cat"], b"abc", b"", timeout=30) == ProgramResult(0, b"abc", b"")
