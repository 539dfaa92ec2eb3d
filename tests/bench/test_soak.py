"""Memory of a monitor over many turns."""

from __future__ import annotations

import threading
import time

import psutil
import pytest

from tests.bench.conftest import BenchmarkReport
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


def resident(machine: LisaHost, seconds: float) -> list[int]:
    """Return the memory of a monitor, once a second, while the agent works."""
    stage = SessionHarness(machine).spawn()
    words = ("--stop-on-waiting", "false", "--max-polls", "100000", "--poll-interval", "1", "--stream-json")
    monitor = machine.start("session", "monitor", "--session", stage.name, *words)
    drain = threading.Thread(target=lambda: all(monitor.stdout or ()), daemon=True)
    drain.start()  # a full pipe would stop the monitor
    process = psutil.Process(monitor.pid)
    end = time.monotonic() + seconds
    sizes = []
    turn = 0
    while time.monotonic() < end:
        turn += 1
        stage.send(f"[say answer {turn}] [run echo {turn}] " + "words " * 200)
        sizes.append(process.memory_info().rss)
    with monitor:
        monitor.terminate()
        drain.join(10)
    return sizes


def judge(report: BenchmarkReport, sizes: list[int], title: str) -> None:
    settled, last = max(sizes[: len(sizes) // 4]), max(sizes[-len(sizes) // 4 :])
    report.add_table(
        title,
        ("", "resident MB"),
        [("after the first quarter", f"{settled / 1e6:.1f}"), ("in the last quarter", f"{last / 1e6:.1f}")],
        f"One monitor with `--stream-json` over {len(sizes)} turns of its agent.",
    )
    assert last < 1.15 * settled


@pytest.mark.bench
def test_memory_is_flat_over_half_a_minute(machine: LisaHost, report: BenchmarkReport) -> None:
    judge(report, resident(machine, 30), "Memory of a monitor over half a minute")


@pytest.mark.soak
def test_memory_is_flat_over_half_an_hour(machine: LisaHost, report: BenchmarkReport) -> None:
    judge(report, resident(machine, 1800), "Memory of a monitor over half an hour")
