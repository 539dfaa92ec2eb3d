"""Time of a spawn whose kind of start has run before, beside one that is watched for an early end."""

from __future__ import annotations

import os
import sys
from statistics import median

import pytest
from msgspec import structs

from lisa_py.store import agent_facts
from tests.bench.conftest import BenchmarkReport
from tests.bench.timing import format_median_milliseconds, measure_wall_times
from tests.commands.test_peer import Peer
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.bench
ROUNDS = 15


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
    first, known, first_process, known_process = (median(times) for times in took.values())
    report.add_table(
        "Spawn of the scripted agent",
        ("", "median ms"),
        [(name, format_median_milliseconds(times)) for name, times in took.items()],
        f"{ROUNDS} rounds, with up to {4 * ROUNDS + 1} living sessions.",
    )
    assert known < 0.3 * first
    assert known_process < 0.65 * first_process
