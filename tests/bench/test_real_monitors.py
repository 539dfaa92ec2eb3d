"""Cost and reaction of monitors of the real claude and codex; `tests/run --agents` installs them."""

from __future__ import annotations

import os
import time
from statistics import median

import psutil
import pytest

from lisa_py.host import files
from tests.agents_kit import find_binary
from tests.agents_live.live_harness import LiveSessionHarness
from tests.bench.conftest import BenchmarkReport
from tests.bench.test_idle_monitors import measure_read, used
from tests.bench.test_reaction import Monitor
from tests.bench.timing import percentile
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.bench
SETTLED, SECONDS, ROUNDS = 12.0, 12.0, 15
LIMITS = {("claude", "idle"): 1.5, ("claude", "working"): 2.0, ("codex", "idle"): 3.0, ("codex", "working"): 4.5}
"""Largest CPU time of a monitor in a second, as a multiple of that of one status read in the same run.

A working codex writes a new title several times a second. Measured are 1.1, 0, 2.1 and 3.4.
"""


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_monitor_of_a_real_agent(machine: LisaHost, report: BenchmarkReport, agent: str) -> None:
    if find_binary(agent) is None:
        pytest.skip(f"{agent} is not installed")
    with FakeModelApi() as api:
        stage = LiveSessionHarness(machine, api, agent).begin()
        late = [react(stage, number) for number in range(ROUNDS)]
        call = median(time_status_call(stage) for _ in range(5))
        rows: list[tuple[str, str]] = []
        ratios = {}
        for state in ("idle", "working"):
            if state == "working":
                stage.send("[fake hang 600]")
                stage.wait_for_status(lambda status: status.session_state == "in_progress")
            share, resident = measure_share(stage)
            ratios[state] = share / 100 / measure_read(stage)
            rows.append((f"{state}: share of a core", f"{share:.2f} %"))
            rows.append((f"{state}: CPU of a second / CPU of one status read", f"{ratios[state]:.2f}"))
            rows.append((f"{state}: resident MB", f"{resident:.1f}"))
    rows.append(
        ("end of a turn, own file to exit: p50 and p95 ms", f"{median(late):.0f}, {percentile(late, 0.95):.0f}")
    )
    rows.append(("one `lisa session status` ms", f"{call:.0f}"))
    note = (
        f"CPU time over {SECONDS:.0f} s; {ROUNDS} turns. The agent's own file: status file and transcript of claude,"
        " rollout of codex."
    )
    report.add_table(f"A monitor of the real {agent}", ("", "value"), rows, note)
    for state, ratio in ratios.items():
        assert ratio < LIMITS[agent, state], rows
    assert median(late) < call
    assert percentile(late, 0.95) < 2 * call


def react(stage: LiveSessionHarness, number: int) -> float:
    """Return the milliseconds from the last change of the agent's own file to the end of a monitor."""
    stage.send(f"[fake gate {number} then text done {number}]")
    stage.wait_for_status(lambda status: status.session_state == "in_progress")
    monitor = Monitor(stage.machine, stage.name)
    stage.api.open(str(number))
    returned = monitor.returned()
    return (returned - own_file_at(stage, returned)) * 1000


def own_file_at(stage: LiveSessionHarness, returned: float) -> float:
    """Return the last change of the agent's files before the end of the monitor: lisa waits for all of a turn."""
    times = [files.modified_at(str(stage.status().transcript_path))]
    folder = stage.agent_home.home / ".claude" / "sessions"
    times += (os.stat(path).st_mtime for path in folder.glob("*.json"))
    return max(time for time in times if time <= returned)


def time_status_call(stage: LiveSessionHarness) -> float:
    began = time.monotonic()
    assert stage.lisa("status").code == 0
    return (time.monotonic() - began) * 1000


def measure_share(stage: LiveSessionHarness) -> tuple[float, float]:
    """Return the share of a core of a monitor in percent, and its memory in MB."""
    words = ("--stop-on-waiting", "false", "--json-min")
    started = stage.machine.start("session", "monitor", "--session", stage.name, *words)
    try:
        time.sleep(SETTLED)  # not a wait for a condition: the quiet itself is measured
        process = psutil.Process(started.pid)
        before, began = used([process])[0], time.monotonic()
        time.sleep(SECONDS)
        share = (used([process])[0] - before) / (time.monotonic() - began) * 100
        assert started.poll() is None
        assert process.num_threads() == 1
        return share, process.memory_info().rss / 1e6
    finally:
        started.close()
