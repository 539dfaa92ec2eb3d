"""Time from the agent's own signal to the return of a monitor, at default settings."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median

import pytest

from lisa_py.core.status.agent_reports import read_hooks
from lisa_py.store import session_records
from tests.bench.conftest import BenchmarkReport
from tests.bench.timing import percentile
from tests.fleet import Fleet
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

pytestmark = pytest.mark.bench
ROUNDS = 20
DEFAULT_INTERVAL = 30.0
"""Seconds between two reported polls of a monitor; a reaction must not wait for them."""


class Monitor:
    """A monitor as a user starts it, waiting before anything happens."""

    def __init__(self, machine: LisaHost, name: str) -> None:
        self._process = machine.start("session", "monitor", "--session", name, "--json-min")
        wait_until(self._watches, what="the monitor watches")

    def _watches(self) -> bool:
        folder = Path(f"/proc/{self._process.pid}/fd")
        return any("inotify" in os.readlink(link) for link in folder.iterdir() if link.is_symlink())

    def returned(self) -> float:
        out, _ = self._process.communicate(timeout=60)
        now = time.time()
        assert self._process.returncode == 0, out
        return now


def exits(fleet: Fleet, machine: LisaHost) -> list[float]:
    late = []
    for number in range(ROUNDS):
        name, gate = f"lisa-exit-{number}", machine.folder / f"gate-{number}"
        os.mkfifo(gate)
        fleet.spawn(name, f"read word < {gate}")
        monitor = Monitor(machine, name)
        gate.write_text("go\n")
        returned = monitor.returned()
        end = session_records.read_end(fleet.ref(name))
        assert end is not None
        late.append(returned - end.at)
    return late


def signals(stage: SessionHarness, machine: LisaHost, prompt: str, hook: str) -> list[float]:
    """A monitor can return before the hook if the agent reported its state in another way first."""

    def given() -> list[float]:
        return [float(str(entry["at"])) for entry in read_hooks(stage.ref) if entry["hook"] == hook]

    late = []
    for _ in range(ROUNDS):
        before = given()[-1:]
        stage.send(prompt)
        returned = Monitor(machine, stage.name).returned()
        signal = wait_until(lambda before=before: given()[-1:] != before and given()[-1:])[0]
        late.append(max(0.0, returned - signal))
        if hook == "PermissionRequest":
            stage.lisa("send", "--answer", "yes")
            stage.wait_for_state("idle")
    return late


def test_monitor_returns_at_once(machine: LisaHost, fleet: Fleet, report: BenchmarkReport) -> None:
    stage = SessionHarness(machine).spawn()
    late = {
        "the command exits": exits(fleet, machine),
        "a turn ends": signals(stage, machine, "[wait 1.5] [say done] go", "Stop"),
        "permission is asked": signals(stage, machine, "[wait 1.5] [ask touch x] go", "PermissionRequest"),
    }
    rows = [
        (name, f"{median(times) * 1000:.0f}", f"{percentile(times, 0.95) * 1000:.0f}", f"{max(times) * 1000:.0f}")
        for name, times in late.items()
    ]
    report.add_table(
        "Reaction of a monitor",
        ("what happens", "p50 ms", "p95 ms", "most ms"),
        rows,
        "From the agent's own signal (end record, hook) to the end of the `lisa session monitor` process, at default"
        f" settings (a poll is reported every 30 s), {ROUNDS} times each.",
    )
    for times in late.values():
        assert percentile(times, 0.95) < DEFAULT_INTERVAL / 100
