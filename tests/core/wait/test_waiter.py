"""Limits of the waiter, and its handles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lisa_py.core.wait.waiter import ReadThrottle, Waiter
from lisa_py.host.clock import Clock
from tests.lisa_host import LisaHost


def test_waiter_gives_back_all_handles(machine: LisaHost, tmp_path: Path) -> None:
    def handles() -> int:
        return len(os.listdir("/proc/self/fd"))

    ctx = machine.context()
    ctx.cancellation.fileno()
    before = handles()
    with Waiter(ctx) as waiter:
        waiter.follow("a", [str(tmp_path)], [os.getpid()])
        waiter.follow("a", [str(tmp_path), str(tmp_path / "x")])
    assert handles() == before


def test_reads_are_limited_in_a_burst_of_events() -> None:
    now = [100.0]
    pace = ReadThrottle(Clock(monotonic=lambda: now[0]))
    pace.start_read()
    now[0] += 0.02
    pace.finish_read()
    assert pace.next_read_at == pytest.approx(100.08)
