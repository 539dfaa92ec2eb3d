"""Cost of monitors of idle sessions."""

from __future__ import annotations

import time
from statistics import median

import psutil
import pytest

from lisa_py.core.status import status_reader
from lisa_py.core.status.poll_cache import PollCache
from tests.bench.conftest import BenchmarkReport
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness

pytestmark = pytest.mark.bench
COUNT = 20
SECONDS = 20.0
SETTLED = 15.0
"""A monitor polls faster just after a change."""


def used(processes: list[psutil.Process]) -> list[float]:
    return [sum(process.cpu_times()[:4]) for process in processes]


LIMITS = {"idle": 1.5, "working": 1.5, "without signals": 5.0, "printing every second": 8.0}
"""Largest median CPU time of a monitor in a second, as a multiple of that of one status read in the same run."""
COMMANDS = {"without signals": "sleep 600", "printing every second": "while :; do date; sleep 1; done"}


def measure_read(stage: SessionHarness) -> float:
    """Return the CPU seconds of one status read in this process."""
    cache = PollCache()
    spent = []
    for _ in range(30):
        began = time.thread_time()
        status_reader.read_with_evidence(stage.ctx, stage.ref, cache=cache)
        spent.append(time.thread_time() - began)
    return median(spent)


@pytest.mark.parametrize("kind", LIMITS)
def test_twenty_idle_monitors(machine: LisaHost, report: BenchmarkReport, kind: str) -> None:
    stages = [SessionHarness(machine, f"lisa-idle-{number}") for number in range(COUNT)]
    for stage in stages:
        if kind in COMMANDS:
            stage.run(COMMANDS[kind])
        else:
            stage.spawn("" if kind == "idle" else "[hang]")
    words = ("--stop-on-waiting", "false", "--json-min")
    started = [machine.start("session", "monitor", "--session", stage.name, *words) for stage in stages]
    time.sleep(SETTLED)  # not a wait for a condition: the quiet itself is measured
    processes = [psutil.Process(process.pid) for process in started]
    before, began = used(processes), time.monotonic()
    time.sleep(SECONDS)
    spent = [after - first for first, after in zip(before, used(processes), strict=True)]
    shares = [seconds / (time.monotonic() - began) * 100 for seconds in spent]
    threads = {process.num_threads() for process in processes}
    resident = max(process.memory_info().rss for process in processes) / 1e6
    for process in started:
        process.terminate()
        process.communicate()
    reads = sum(shares) / COUNT / 100 / measure_read(stages[0])
    report.add_table(
        f"Twenty monitors of agents that are {kind}",
        ("", "value"),
        [
            ("share of a core, mean", f"{sum(shares) / COUNT:.2f} %"),
            ("share of a core, most", f"{max(shares):.2f} %"),
            ("CPU of a second / CPU of one status read", f"{reads:.2f}"),
            ("resident MB", f"{resident:.1f}"),
        ],
        f"CPU time of the monitor processes over {SECONDS:.0f} s.",
    )
    assert reads < LIMITS[kind]
    assert threads == {1}


@pytest.mark.parametrize("words", [("wait", "--all"), ("list", "--watch-json", "--watch-interval", "60")])
def test_one_waiter_for_twenty_silent_sessions(
    machine: LisaHost, report: BenchmarkReport, words: tuple[str, ...]
) -> None:
    for number in range(COUNT):
        SessionHarness(machine, f"lisa-idle-{number}").run("sleep 600")
    process = machine.start("session", *words)
    time.sleep(SETTLED)  # not a wait for a condition: the quiet itself is measured
    watched = [psutil.Process(process.pid)]
    before, began = used(watched)[0], time.monotonic()
    time.sleep(SECONDS)
    assert process.poll() is None, process.communicate()
    share = (used(watched)[0] - before) / (time.monotonic() - began) * 100
    process.terminate()
    process.communicate()
    report.add_table(
        f"`session {' '.join(words)}` of {COUNT} sessions without signals",
        ("", "share of one core"),
        [("the process and its tmux calls", f"{share:.2f} %")],
        f"CPU time over {SECONDS:.0f} s.",
    )
    assert share < 1.5
