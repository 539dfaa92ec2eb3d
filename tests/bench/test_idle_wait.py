"""Cost of waiting for two hundred idle sessions."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.bench.conftest import BenchmarkReport
from tests.fleet import Fleet
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.bench
COUNT = 200
SETTLED, SECONDS = 75.0, 60.0
"""Sessions without a change for a minute are polled more slowly."""


def test_one_wait_for_an_idle_fleet(machine: LisaHost, fleet: Fleet, report: BenchmarkReport) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: fleet.spawn(f"lisa-n{number}"), range(COUNT)))
    waiting = machine.start("session", "wait", "--all", "--json-min")
    time.sleep(SETTLED)  # not a wait for a condition: the quiet itself is measured
    process = psutil.Process(waiting.pid)
    before, began = sum(process.cpu_times()[:4]), time.monotonic()
    time.sleep(SECONDS)
    share = (sum(process.cpu_times()[:4]) - before) / (time.monotonic() - began) * 100
    waiting.terminate()
    waiting.communicate()
    report.add_table(
        f"One `session wait` for {COUNT} sessions that rest",
        ("", "share of one core"),
        [("the process and its tmux calls", f"{share:.2f} %")],
        f"CPU time over {SECONDS:.0f} s.",
    )
    assert share < 3
