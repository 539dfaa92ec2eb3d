"""Limits of the waiter, and its handles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lisa_py.core.wait.waiter import BURST_SECONDS, BURST_SHARE, ReadThrottle, Waiter
from lisa_py.host.clock import Clock
from tests.lisa_host import LisaHost


def test_waiter_closes_all_handles(machine: LisaHost, tmp_path: Path) -> None:
    def handles() -> int:
        return len(os.listdir("/proc/self/fd"))

    ctx = machine.context()
    ctx.cancellation.fileno()
    for attempt in range(3):
        with Waiter(ctx) as waiter, Waiter(ctx):
            waiter.follow("a", [str(tmp_path)], [os.getpid()])
            waiter.follow("a", [str(tmp_path), str(tmp_path / "x")])
        if not attempt:
            before = handles()  # one instance is kept for the next watcher
    assert handles() == before


class FakeClock:
    """A clock that advances on demand."""

    def __init__(self) -> None:
        self.wall, self.cpu = 100.0, 5.0
        self.clock = Clock(monotonic=lambda: self.wall, cpu=lambda: self.cpu)

    def read(self, pace: ReadThrottle, *, cpu: float, wall: float) -> None:
        """Spend time on a read."""
        pace.start_read()
        self.cpu += cpu
        self.wall += wall
        pace.finish_read(by_event=True)


def test_reads_are_limited_by_their_cpu_time() -> None:
    time = FakeClock()
    pace = ReadThrottle(time.clock)
    time.read(pace, cpu=0.002, wall=0.5)
    assert pace.cost == pytest.approx(0.002)
    assert pace.next_read_at == pytest.approx(100.502)


def test_long_burst_takes_a_small_share_of_a_core() -> None:
    time = FakeClock()
    pace = ReadThrottle(time.clock)
    reads = 0
    while time.wall < 110:
        time.read(pace, cpu=0.002, wall=0.002)
        time.wall = max(time.wall, pace.next_read_at)
        reads += 1
    assert reads * 0.002 == pytest.approx(BURST_SECONDS + 10 * BURST_SHARE, rel=0.1)
    time.wall += 60
    time.read(pace, cpu=0.002, wall=0.002)
    assert pace.next_read_at == pytest.approx(time.wall + 0.002)


def test_a_followed_session_has_no_limit_of_bursts() -> None:
    time = FakeClock()
    paces = [ReadThrottle(time.clock, live=live) for live in (False, True)]
    for pace in paces:
        for _ in range(20):
            time.read(pace, cpu=0.02, wall=0.02)
    limited, live = (pace.next_read_at - time.wall for pace in paces)
    assert live == pytest.approx(0.06)
    assert limited > live
