"""Collect the measurements: a table at the end, and docs/performance.md with --write."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
INTRODUCTION = """\
# Performance

Measured by `tests/run --bench` (this page: `tests/run --bench --write`), in one interleaved run, so that other
load on the machine affects all rows alike. Times are medians; the ratios matter, and they hold on other machines too.
The half-hour run is separate: `tests/run --soak --write`.
"""


class BenchmarkReport:
    """The tables of one run."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def add_table(self, title: str, head: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> None:
        lines = [f"## {title}", ""]
        if note:
            lines += [note, ""]
        lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
        self.parts.append("\n".join(lines) + "\n")
        print("\n\n" + self.parts[-1])

    def render_page(self, previous: str) -> str:
        """Return the page with the tables of this run replaced; other tables stay."""
        previous_tables = ["## " + part for part in previous.split("\n## ")[1:]]
        tables = {part.split("\n", 1)[0]: part for part in (*previous_tables, *self.parts)}
        machine = (
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        return "\n".join([INTRODUCTION, f"Measured on: {machine}.\n", *tables.values()])


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Iterator[BenchmarkReport]:
    made = BenchmarkReport()
    yield made
    if request.config.getoption("--write") and made.parts:
        PAGE.write_text(made.render_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"\nwritten: {PAGE}")
