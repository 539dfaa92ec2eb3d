"""What one more session costs a read of the whole fleet."""

from __future__ import annotations

from statistics import median

import pytest

from tests.bench.conftest import Report
from tests.bench.timing import interleaved
from tests.fleet import Fleet
from tests.machine import Machine

pytestmark = pytest.mark.bench
SIZES = (1, 40, 200)
ROUNDS = 11
READS = {
    "list --with-next-action": ("session", "list", "--with-next-action", "--json"),
    "tree --with-state": ("session", "tree", "--with-state", "--json"),
    "version": ("version",),
}
"""The last one only starts the program: what the machine does meanwhile weighs on it as well."""


def test_a_further_session_costs_a_fraction_of_a_millisecond(machine: Machine, fleet: Fleet, report: Report) -> None:
    found: dict[int, dict[str, float]] = {}
    made = 0
    for size in SIZES:
        while made < size:
            made += 1
            fleet.spawn(f"lisa-fleet-{made}")
        calls = {name: (lambda words=words: machine.lisa(*words)) for name, words in READS.items()}
        found[size] = {name: median(times) * 1000 for name, times in interleaved(calls, ROUNDS).items()}
    rows = []
    for name in READS:
        further = [(found[size][name] - found[1][name]) / (size - 1) for size in SIZES[1:]]
        rows.append((name, *(f"{found[size][name]:.0f}" for size in SIZES), *(f"{cost:.2f}" for cost in further)))
    report.table(
        "Reading a fleet",
        (
            "command",
            *(f"{size} session{'s' if size > 1 else ''}, ms" for size in SIZES),
            *(f"each further one to {size}, ms" for size in SIZES[1:]),
        ),
        rows,
        f"Whole processes, {ROUNDS} rounds. Each session is a supervised command of three processes.",
    )
    for name in list(READS)[:2]:
        assert found[200][name] < 6 * found[1][name]
