"""CPU of a kill on a machine with many other processes and sessions, and of many kills at once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from lisa_py.core.lifecycle.kill import kill_all_sessions, kill_session
from lisa_py.store import paths
from tests.bench.conftest import BenchmarkReport
from tests.fleet import Fleet
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.bench
PROCESSES, PROJECTS, SESSIONS = 800, 20, 20
ROUNDS = 15
ONE_BY_ONE, TOGETHER = 20, 200


def measure_cpu(action: Callable[[], object], before: Callable[[], object]) -> float:
    """Return the median of the CPU seconds of this process."""
    times = []
    for _ in range(ROUNDS):
        before()
        began = time.process_time()
        action()
        times.append(time.process_time() - began)
    return median(times)


def read_environments() -> None:
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb", buffering=0) as file:
                file.read()


def add_sessions_elsewhere(fleet: Fleet, machine: LisaHost) -> None:
    model = Path(fleet.ref("lisa-keep").folder)
    for number in range(PROJECTS):
        root = machine.folder / f"p{number}"
        root.mkdir()
        project = paths.resolve_project(str(root), fleet.ctx.settings)
        for each in range(SESSIONS):
            folder = Path(project.folder) / "sessions" / f"lisa-x{each}"
            shutil.copytree(model, folder)
            meta = json.loads((folder / "meta.json").read_text()) | {
                "session": folder.name,
                "projectRoot": project.root,
            }
            (folder / "meta.json").write_text(json.dumps(meta))


def test_kill_among_many_sessions(machine: LisaHost, report: BenchmarkReport) -> None:
    fleet = Fleet(machine)
    fleet.spawn("lisa-keep")

    def measure_kill() -> float:
        return measure_cpu(lambda: kill_session(fleet.ctx, fleet.ref("lisa-s")), lambda: fleet.spawn("lisa-s"))

    alone, look_alone = measure_kill(), measure_cpu(read_environments, int)
    others = [subprocess.Popen(["sleep", "600"]) for _ in range(PROCESSES)]
    crowded, look = measure_kill(), measure_cpu(read_environments, int)
    for other in others:
        other.kill()
        other.wait()
    add_sessions_elsewhere(fleet, machine)
    known = measure_kill()
    rows = (
        ("kill, few other processes", alone),
        (f"kill, {PROCESSES} more", crowded),
        ("one look at the environment of these", look - look_alone),
        (f"kill, {PROJECTS * SESSIONS} sessions of other projects", known),
    )
    report.add_table(
        "Kill of a command", ("", "CPU ms"), [(name, f"{seconds * 1000:.1f}") for name, seconds in rows],
        f"Median of {ROUNDS} calls in one process.",
    )  # fmt: skip
    assert crowded - alone < look - look_alone
    assert known < 1.5 * alone


def test_kill_all_costs_less_than_single_kills(machine: LisaHost, report: BenchmarkReport) -> None:
    fleet = Fleet(machine)
    took: dict[str, float] = {}
    spent: dict[str, float] = {}
    for name, count, kill in (
        ("one by one", ONE_BY_ONE, lambda refs: [kill_session(fleet.ctx, ref) for ref in refs]),
        ("kill-all", TOGETHER, lambda refs: kill_all_sessions(fleet.ctx, fleet.ctx.project())),
    ):
        refs = [fleet.ref(f"lisa-{number}") for number in range(count)]
        for ref in refs:
            fleet.spawn(ref.session)
        before, began = sum(os.times()[:4]), time.perf_counter()
        kill(refs)
        took[name] = (time.perf_counter() - began) / count
        spent[name] = (sum(os.times()[:4]) - before) / count
        assert not [ref for ref in refs if os.path.exists(ref.meta)]
    rows = [(name, f"{took[name] * 1000:.1f}", f"{spent[name] * 1000:.1f}") for name in took]
    note = f"{ONE_BY_ONE} one by one, {TOGETHER} with kill-all."
    report.add_table("End of a command among many", ("", "ms", "CPU ms with tmux calls"), rows, note)
    assert took["kill-all"] < 0.25 * took["one by one"]
    assert spent["kill-all"] < 0.4 * spent["one by one"]
