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
SECONDS = 15.0
SETTLED = 12.0
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


def test_twenty_idle_monitors_of_each_kind(machine: LisaHost, report: BenchmarkReport) -> None:
    stages = {kind: [SessionHarness(machine, f"lisa-{kind[:8].strip()}-{n}") for n in range(COUNT)] for kind in LIMITS}
    for kind, group in stages.items():
        for stage in group:
            if kind in COMMANDS:
                stage.run(COMMANDS[kind])
            else:
                stage.spawn("" if kind == "idle" else "[hang]", ready=False)
    for stage in stages["idle"]:
        stage.wait_for_state("idle")
    words = ("--stop-on-waiting", "false", "--json-min")
    monitors = {
        kind: [machine.start("session", "monitor", "--session", stage.name, *words) for stage in group]
        for kind, group in stages.items()
    }
    time.sleep(SETTLED)  # not a wait for a condition: the quiet itself is measured
    processes = {kind: [psutil.Process(monitor.pid) for monitor in group] for kind, group in monitors.items()}
    before = {kind: (used(group), time.monotonic()) for kind, group in processes.items()}
    time.sleep(SECONDS)
    rows, reads = [], {}
    for kind, group in processes.items():
        spent = [after - first for first, after in zip(before[kind][0], used(group), strict=True)]
        shares = [seconds / (time.monotonic() - before[kind][1]) * 100 for seconds in spent]
        reads[kind] = sum(shares) / COUNT / 100 / measure_read(stages[kind][0])
        resident = max(process.memory_info().rss for process in group) / 1e6
        rows.append(
            (kind, f"{sum(shares) / COUNT:.2f} %", f"{max(shares):.2f} %", f"{reads[kind]:.2f}", f"{resident:.1f}")
        )
        assert {process.num_threads() for process in group} == {1}
    for group in monitors.values():
        for monitor in group:
            monitor.terminate()
            monitor.communicate()
    report.add_table(
        f"Monitors, {COUNT} of each kind of agent",
        ("agents", "share of a core, mean", "most", "CPU of a second / CPU of one status read", "resident MB"),
        rows,
        f"CPU time of the monitor processes over {SECONDS:.0f} s.",
    )
    assert {kind: ratio for kind, ratio in reads.items() if ratio >= LIMITS[kind]} == {}


def test_one_waiter_for_twenty_silent_sessions(machine: LisaHost, report: BenchmarkReport) -> None:
    for number in range(COUNT):
        SessionHarness(machine, f"lisa-idle-{number}").run("sleep 600")
    calls = (("wait", "--all"), ("list", "--watch-json", "--watch-interval", "60"))
    started = [machine.start("session", *words) for words in calls]
    time.sleep(SETTLED)  # not a wait for a condition: the quiet itself is measured
    watched = [psutil.Process(process.pid) for process in started]
    before, began = used(watched), time.monotonic()
    time.sleep(SECONDS)
    assert [process.poll() for process in started] == [None, None]
    seconds = time.monotonic() - began
    shares = [(after - first) / seconds * 100 for first, after in zip(before, used(watched), strict=True)]
    for process in started:
        process.terminate()
        process.communicate()
    report.add_table(
        f"One call for {COUNT} sessions without signals",
        ("call", "share of one core"),
        [(f"`session {' '.join(words)}`", f"{share:.2f} %") for words, share in zip(calls, shares, strict=True)],
        f"CPU time of the process and its tmux calls over {SECONDS:.0f} s.",
    )
    assert max(shares) < 1.5
