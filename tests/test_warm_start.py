"""The warm start of the tests: a forked call behaves like a new interpreter and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests import warm_start
from tests.fleet import Fleet
from tests.house.sources import TREE
from tests.lisa_host import LisaHost
from tests.polling import wait_until

CALLS = [
    ("version",),
    ("session", "nope"),
    ("session", "list", "--json"),
    ("session", "exists", "--session", "lisa-x"),
    ("session", "send", "--session", "lisa-x", "--text-file", "-", "--json"),
    ("agent", "build-cmd", "--prompt", os.fsdecode(b"a\xff \xe2\x9d\xaf"), "--json"),
    ("session", "prompt-lint", "--prompt-file", "-", "--json"),
    ("session", "exists", "--help"),
]


@pytest.fixture
def warm(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> Iterator[warm_start.WarmStart]:
    """Yield the warm start of all tests, or where they are cold a new one."""
    made = LisaHost.warm or warm_start.WarmStart()
    monkeypatch.setattr(LisaHost, "warm", made)
    try:
        yield made
    finally:
        monkeypatch.undo()
        if LisaHost.warm is None:
            made.close()


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_warm_and_cold_calls_agree(words: tuple[str, ...], machine: LisaHost, warm: warm_start.WarmStart) -> None:
    cold, forked = (machine.lisa(*words, stdin="Say hello ❯\n", cold=cold) for cold in (True, False))
    assert forked == cold


FOR_EVER = ("session", "wait", "--any", "--timeout-seconds", "600")


def _family(parent: int) -> list[psutil.Process]:
    """Return the live descendants, without zombies."""
    return [process for process in psutil.Process(parent).children(recursive=True) if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def test_call_over_its_time_limit_is_killed(machine: LisaHost, fleet: Fleet, warm: warm_start.WarmStart) -> None:
    fleet.spawn("lisa-busy")
    machine.lisa("version")
    before = _family(os.getpid())
    with pytest.raises(subprocess.TimeoutExpired):
        machine.lisa(*FOR_EVER, timeout=1)
    assert len(_family(os.getpid())) == len(before)
    assert machine.lisa("version").code == 0


def test_concurrent_calls_are_separate(machine: LisaHost, warm: warm_start.WarmStart) -> None:
    names = [f"lisa-{number}" for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda name: machine.lisa("session", "exists", "--session", name, "--json").json, names)
        )
    assert [answer["session"] for answer in answers] == names


OWNER = """
import os, sys
from tests.warm_start import WarmStart
WarmStart().run(sys.argv[2:], cwd=sys.argv[1], env=dict(os.environ), data=None, timeout=600)
"""


def test_no_process_remains_after_killed_tests(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-busy")
    words = [sys.executable, "-c", OWNER, str(machine.project), *FOR_EVER]
    owner = subprocess.Popen(words, env=machine.env, cwd=TREE)
    loaded, call = wait_until(lambda: len(found := _family(owner.pid)) == 2 and found, what="a call runs")
    owner.kill()
    owner.wait()
    wait_until(lambda: not (_lives(loaded) or _lives(call)), what="both are gone")
