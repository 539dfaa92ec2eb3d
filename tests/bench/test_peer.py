"""Cost of a command over an open peer, beside a new process and tmux alone."""

from __future__ import annotations

import shutil
import subprocess
from statistics import median

import psutil
import pytest

from tests.bench.conftest import BenchmarkReport
from tests.bench.timing import format_median_milliseconds, measure_wall_times
from tests.commands.test_peer import Peer
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness

pytestmark = pytest.mark.bench
ROUNDS = 101


def test_status_over_a_peer(machine: LisaHost, report: BenchmarkReport) -> None:
    stage = SessionHarness(machine).spawn("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")
    peer = Peer(machine)
    process = psutil.Process(peer.process.pid)
    tmux = [shutil.which("tmux") or "tmux", "-S", stage.ctx.server(stage.ref).socket, "list-panes", "-a"]
    calls = {
        "tmux list-panes": lambda: subprocess.run(tmux, capture_output=True, check=True),
        "status over a peer": lambda: peer.call("session status", session=stage.name),
        "`lisa session status`": lambda: stage.lisa("status"),
    }
    for call in calls.values():
        call()
    took = measure_wall_times(calls, ROUNDS)
    before = sum(process.cpu_times()[:4])
    for _ in range(ROUNDS):
        calls["status over a peer"]()
    spent = (sum(process.cpu_times()[:4]) - before) / ROUNDS
    peer.close()
    rows: list[tuple[object, ...]] = [(name, format_median_milliseconds(times)) for name, times in took.items()]
    report.add_table(
        "A command over `lisa peer`",
        ("", "median ms"),
        [*rows, ("CPU of the peer, per status", f"{spent * 1000:.1f}")],
        f"{ROUNDS} rounds.",
    )
    alone, over_peer, process_call = (median(times) for times in took.values())
    assert over_peer < 0.2 * process_call
    assert over_peer < alone + 0.005
    assert spent < 0.003
