"""Time of a spawn of a known start, compared with one that is watched for an early end."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time

import psutil
import pytest
from msgspec import structs

from lisa_py.store import agent_facts
from tests.bench.conftest import BenchmarkReport
from tests.bench.timing import format_median_milliseconds, measure_wall_times
from tests.commands.test_peer import Peer
from tests.fleet import Fleet
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.bench
ROUNDS = 15
LIVING, RECORDED = 100, 1000


def test_spawn_of_a_known_start(machine: LisaHost, report: BenchmarkReport) -> None:
    ctx, peer = machine.context(), Peer(machine)
    binary = os.path.abspath(sys.executable)
    names = iter(f"lisa-s{number}" for number in range(10_000))

    def forget() -> None:
        known = agent_facts.load_facts(binary, ctx.settings, ctx.clock.now())
        assert known is not None and known.shapes
        agent_facts.save_facts(binary, structs.replace(known, shapes=()), ctx.settings)

    def spawn_by_peer() -> None:
        assert "answer" in peer.call("session spawn", session=next(names), agent="scripted")

    def spawn_by_process() -> None:
        assert machine.lisa("session", "spawn", "--session", next(names), "--agent", "scripted").code == 0

    actions = {
        "first of its kind, over `lisa peer`": lambda: (forget(), spawn_by_peer()),
        "known kind, over `lisa peer`": spawn_by_peer,
        "first of its kind, `lisa session spawn`": lambda: (forget(), spawn_by_process()),
        "known kind, `lisa session spawn`": spawn_by_process,
    }
    spawn_by_peer()
    took = measure_wall_times(actions, ROUNDS)
    peer.close()
    first, known, first_process, known_process = map(min, took.values())
    report.add_table(
        "Spawn of the scripted agent",
        ("", "median ms"),
        [(name, format_median_milliseconds(times)) for name, times in took.items()],
        f"{ROUNDS} rounds, with up to {4 * ROUNDS + 1} living sessions.",
    )
    # the shortest of each: a busy machine adds to the work, not to the watch for an early end
    assert known < 0.3 * first
    assert known_process < 0.3 * first_process


def test_spawn_does_not_grow_with_the_fleet(machine: LisaHost, report: BenchmarkReport) -> None:
    fleet, peer = Fleet(machine), Peer(machine)
    names = iter(f"lisa-s{number}" for number in range(10_000))

    def spawn() -> None:
        assert "answer" in peer.call("session spawn", session=next(names), agent="scripted")

    def measure() -> tuple[float, float]:
        """Return the shortest time of a spawn, and the CPU time of one in the peer."""
        process = psutil.Process(peer.process.pid)
        times = []
        before = sum(process.cpu_times()[:2])
        for _ in range(ROUNDS):
            began = time.perf_counter()
            spawn()
            times.append(time.perf_counter() - began)
        return min(times), (sum(process.cpu_times()[:2]) - before) / ROUNDS

    fleet.spawn("lisa-model")
    spawn()
    first = measure()
    for number in range(LIVING):
        fleet.spawn(f"lisa-living-{number}")
    model = fleet.folder("lisa-model")
    meta = json.loads((model / "meta.json").read_text())
    for number in range(RECORDED):
        folder = model.with_name(f"lisa-recorded-{number}")
        shutil.copytree(model, folder)
        (folder / "meta.json").write_text(json.dumps(meta | {"session": folder.name, "paneId": f"%{9000 + number}"}))
    last = measure()
    peer.close()
    report.add_table(
        "Spawn beside many sessions",
        ("", "shortest ms", "CPU ms of the peer"),
        [
            (name, f"{wall * 1000:.1f}", f"{cpu * 1000:.1f}")
            for name, (wall, cpu) in (
                ("a few", first),
                (f"{LIVING} living and {RECORDED} recorded ones", last),
            )
        ],
        f"{ROUNDS} spawns of a known kind over `lisa peer`.",
    )
    assert last[0] < 1.3 * first[0] and last[1] < 1.3 * first[1] + 0.002
