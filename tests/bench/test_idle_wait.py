"""Cost of waiting for hundreds of silent sessions, and the delay until a change is reported."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import psutil
import pytest

from tests.bench.conftest import BenchmarkReport
from tests.fleet import Fleet
from tests.lisa_host import LisaHost

SETTLED, SECONDS = 12.0, 20.0
"""Young sessions are read more often."""
CHANGES = 5
REACTION_SECONDS = 2.0


@pytest.mark.bench
def test_one_wait_for_an_idle_fleet(machine: LisaHost, fleet: Fleet, report: BenchmarkReport) -> None:
    measure(machine, fleet, report, count=200)


@pytest.mark.soak
def test_one_wait_for_a_thousand_sessions(machine: LisaHost, fleet: Fleet, report: BenchmarkReport) -> None:
    measure(machine, fleet, report, count=1000)


def measure(machine: LisaHost, fleet: Fleet, report: BenchmarkReport, *, count: int) -> None:
    for number in range(CHANGES):
        os.mkfifo(machine.project / f"pipe-{number}")

    def spawn(number: int) -> None:
        fleet.spawn(f"lisa-n{number}", f"read word < pipe-{number}; read word" if number < CHANGES else "sleep 600")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(spawn, range(count)))
    waiting = machine.start("session", "wait", "--all", "--stream-json")
    try:
        time.sleep(SETTLED)  # not a wait for a condition: the quiet itself is measured
        process = psutil.Process(waiting.pid)
        before, began = sum(process.cpu_times()[:4]), time.monotonic()
        time.sleep(SECONDS)
        share = (sum(process.cpu_times()[:4]) - before) / (time.monotonic() - began) * 100
        handles, resident = process.num_fds(), process.memory_info().rss / 1e6
        late = []
        for number in range(CHANGES):
            (machine.project / f"pipe-{number}").write_text("word\n")
            changed = time.monotonic()
            assert waiting.read_event()["session"]["session"] == f"lisa-n{number}"
            late.append(time.monotonic() - changed)
    finally:
        waiting.close()
    report.add_table(
        f"One `session wait` for {count} silent sessions",
        ("", "value"),
        [
            ("share of a core", f"{share:.2f} %"),
            ("a silent session changes: seen after, median and most s", f"{median(late):.2f}, {max(late):.2f}"),
            ("file handles", handles),
            ("resident MB", f"{resident:.1f}"),
        ],
        f"CPU time over {SECONDS:.0f} s.",
    )
    assert share < 2.0
    assert max(late) < REACTION_SECONDS
