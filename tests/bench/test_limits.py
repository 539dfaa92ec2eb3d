"""Limits of a session: delay from the limit to the interrupt, memory and CPU of the limit process."""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median

import psutil
import pytest

from lisa_py.core.usage.limits import is_enforced
from tests.bench.conftest import BenchmarkReport
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

pytestmark = pytest.mark.bench
ROUNDS = 5
REST_SECONDS = 10.0


def measure_interrupt(machine: LisaHost, number: int) -> float:
    """Return the seconds from the record of the call at the limit to the end of the turn."""
    stage = SessionHarness(machine, f"lisa-limit-{number}")
    go = machine.folder / f"go-{number}"
    stage.spawn(f"[wait {go}][usage 1000 0][think 60]", "--task-budget-tokens", "1000")
    stage.wait_for_state("thinking")
    wait_until(lambda: is_enforced(stage.ref), what="the limit process runs")
    transcript = Path(stage.agent_state()["transcript"])
    go.touch()

    def read() -> dict[str, float]:
        return {line["type"]: line["at"] for line in map(json.loads, transcript.read_text().splitlines())}

    records = wait_until(lambda: "turn_end" in (now := read()) and now)
    return records["turn_end"] - records["usage"]


def test_limit_to_interrupt(machine: LisaHost, report: BenchmarkReport) -> None:
    took = [measure_interrupt(machine, number) for number in range(ROUNDS)]
    report.add_table(
        "Limit of a session",
        ("measurement", "median ms", "largest ms"),
        [("limit reached to interrupt", f"{median(took) * 1000:.0f}", f"{max(took) * 1000:.0f}")],
    )
    assert max(took) < 1.0


def test_cost_of_an_idle_limit_process(machine: LisaHost, report: BenchmarkReport) -> None:
    stage = SessionHarness(machine).spawn("[usage 10 10][say hello]", "--task-budget-tokens", "1000")
    stage.wait_for_state("idle")
    path = Path(stage.ref.folder, "limits.pid")
    process = psutil.Process(wait_until(lambda: path.exists() and int(path.read_text())))
    time.sleep(2.0)  # what it does after the turn is not rest
    spent, switches = sum(process.cpu_times()[:2]), process.num_ctx_switches().voluntary
    time.sleep(REST_SECONDS)
    spent, switches = sum(process.cpu_times()[:2]) - spent, process.num_ctx_switches().voluntary - switches
    memory = process.memory_info().rss / (1 << 20)
    report.add_table(
        "Limit process at rest",
        ("measurement", "value"),
        [("resident MB", f"{memory:.1f}"), (f"CPU ms in {REST_SECONDS:.0f} s", f"{spent * 1000:.0f}")],
    )
    assert memory < 30
    assert spent <= 0.03 and switches <= 5
