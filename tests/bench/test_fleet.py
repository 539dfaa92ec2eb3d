"""Cost of one more session when the whole fleet is read."""

from __future__ import annotations

from statistics import median

import pytest

from tests.bench.conftest import BenchmarkReport
from tests.bench.timing import measure_wall_and_cpu_times
from tests.fleet import Fleet
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.bench
SIZES = (1, 40, 200)
ROUNDS = 11
READS = {
    "list --with-next-action": ("session", "list", "--with-next-action", "--json"),
    "tree --with-state": ("session", "tree", "--with-state", "--json"),
    "version": ("version",),
}
"""The last row only starts the program: other load of the machine affects it as well."""


def test_added_session_costs_under_a_millisecond(machine: LisaHost, fleet: Fleet, report: BenchmarkReport) -> None:
    wall: dict[int, dict[str, float]] = {}
    cpu: dict[int, dict[str, float]] = {}
    made = 0
    for size in SIZES:
        while made < size:
            made += 1
            fleet.spawn(f"lisa-fleet-{made}")
        calls = {name: (lambda words=words: machine.lisa(*words)) for name, words in READS.items()}
        took = measure_wall_and_cpu_times(calls, ROUNDS)
        wall[size] = {name: median(each[0] for each in times) * 1000 for name, times in took.items()}
        cpu[size] = {name: median(each[1] for each in times) * 1000 for name, times in took.items()}
    rows = []
    for name in READS:
        for kind, figures in (("time", wall), ("CPU", cpu)):
            further = (figures[200][name] - figures[1][name]) / 199
            rows.append((name, kind, *(f"{figures[size][name]:.0f}" for size in SIZES), f"{further:.2f}"))
    report.add_table(
        "Reading a fleet",
        ("command", "", *(f"{size} session{'s' if size > 1 else ''}, ms" for size in SIZES), "each further one, ms"),
        rows,
        f"Whole processes, {ROUNDS} rounds. Each session is a supervised command of three processes.",
    )
    for name in list(READS)[:2]:
        assert cpu[200][name] < 6 * cpu[1][name]
