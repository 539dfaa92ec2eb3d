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
OF_OTHER_RUNS = (
    "## Random work on a fleet",
    "## Memory of a monitor over half an hour",
    "## One `session wait` for 1000",
    "## A fleet of six, driven",
)
"""Titles of the tables of `--soak` and `--agents`."""


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

    def render_page(self, previous: str, *, whole: bool = False) -> str:
        """Return the page with the tables of this run replaced.

        Other tables stay, after a whole run only those of other runs.
        """
        previous_tables = ["## " + part.rstrip("\n") + "\n" for part in previous.split("\n## ")[1:]]
        kept = [part for part in previous_tables if not whole or part.startswith(OF_OTHER_RUNS)]
        tables = {part.split("\n", 1)[0]: part for part in (*kept, *self.parts)}
        machine = (
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        return "\n".join([INTRODUCTION, f"Measured on: {machine}.\n", *tables.values()])


def is_whole_run(request: pytest.FixtureRequest) -> bool:
    """Return True if every measurement was taken and none has failed."""
    config = request.config
    chosen = config.option.keyword or config.args_source is pytest.Config.ArgsSource.ARGS
    return not chosen and config.option.markexpr == "bench" and not request.session.testsfailed


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Iterator[BenchmarkReport]:
    made = BenchmarkReport()
    yield made
    if request.config.getoption("--write") and made.parts:
        page = made.render_page(PAGE.read_text(encoding="utf-8"), whole=is_whole_run(request))
        PAGE.write_text(page, encoding="utf-8")
        print(f"\nwritten: {PAGE}")
