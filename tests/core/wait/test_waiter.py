"""Limits of the waiter, and its handles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.verdict import judge
from lisa_py.core.wait.waiter import BURST_SECONDS, BURST_SHARE, BurstThrottle, LiveThrottle, Waiter
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


def test_file_that_appears_during_a_read_is_read_soon(machine: LisaHost, tmp_path: Path) -> None:
    """It is watched only after the read, so that its first change is no event."""
    folder, transcript = tmp_path / "session", tmp_path / "files" / "transcript"
    folder.mkdir()
    evidence = Evidence(session="lisa-x", folder=str(folder), watch_paths=(str(transcript),))
    found = {"a": (evidence, judge(evidence, 0.0))}
    with Waiter(machine.context()) as waiter:
        waiter.follow("a", [str(folder)])
        waiter.start_read()
        transcript.parent.mkdir()
        transcript.write_text("x")
        waiter.finish_read(found)
        assert waiter.wait(0.5) == {"a"} and waiter._members["a"].event_at > 0
        waiter.start_read()
        waiter.finish_read(found)
        assert not waiter._due


class FakeClock:
    """A clock that advances on demand."""

    def __init__(self) -> None:
        self.wall = 100.0
        self.clock = Clock(monotonic=lambda: self.wall)

    def read(self, throttle: BurstThrottle | LiveThrottle, *, cpu: float, wall: float) -> None:
        """Spend time on a read."""
        self.wall += wall
        throttle.finish_read(self.wall, cpu, by_event=True)


def test_reads_are_limited_by_their_cpu_time() -> None:
    time = FakeClock()
    throttle = BurstThrottle(time.clock)
    time.read(throttle, cpu=0.002, wall=0.5)
    assert throttle.next_read_at == pytest.approx(100.502)


def test_long_burst_takes_a_small_share_of_a_core() -> None:
    time = FakeClock()
    throttle = BurstThrottle(time.clock)
    reads = 0
    while time.wall < 110:
        time.read(throttle, cpu=0.002, wall=0.002)
        time.wall = max(time.wall, throttle.next_read_at)
        reads += 1
    assert reads * 0.002 == pytest.approx(BURST_SECONDS + 10 * BURST_SHARE, rel=0.1)
    time.wall += 60
    time.read(throttle, cpu=0.002, wall=0.002)
    assert throttle.next_read_at == pytest.approx(time.wall + 0.002)


@pytest.mark.parametrize(("kind", "least", "most"), [(BurstThrottle, 1.0, 1.0), (LiveThrottle, 0.06, 0.06)])
def test_a_followed_session_has_no_limit_of_bursts(
    kind: type[BurstThrottle | LiveThrottle], least: float, most: float
) -> None:
    time = FakeClock()
    throttle = kind(time.clock)
    for _ in range(20):
        time.read(throttle, cpu=0.02, wall=0.02)
    assert least - 0.001 < throttle.next_read_at - time.wall < most + 0.001
