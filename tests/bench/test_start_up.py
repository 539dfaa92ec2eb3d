"""One-shot commands against the price of starting Python with click, in one interleaved run.

The launcher is measured with the virtual environment it makes, without the tools of the tests.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest

from tests.bench.conftest import BenchmarkReport
from tests.bench.timing import format_median_milliseconds, measure_wall_times
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.bench
TREE = Path(__file__).parents[2]
PYTHON = str(TREE / ".venv" / "bin" / "python")
ROUNDS = 40
LIMIT = 1.5


def started(argv: Sequence[str], machine: LisaHost) -> None:
    subprocess.run(argv, env=machine.env, cwd=machine.project, stdout=subprocess.DEVNULL, check=True)


def test_one_shot_commands_cost_little_more_than_importing_click(machine: LisaHost, report: BenchmarkReport) -> None:
    lisa = str(TREE / "lisa")
    subprocess.run([lisa, "version"], check=True, stdout=subprocess.DEVNULL)
    machine.lisa("session", "spawn", "--session", "lisa-a", "--command", "exec sleep 600", "--json")
    calls: dict[str, Sequence[str]] = {
        "python -c pass": (PYTHON, "-c", "pass"),
        "python -c 'import click'": (PYTHON, "-c", "import click"),
        "exists": (lisa, "session", "exists", "--session", "lisa-a"),
        "status": (lisa, "session", "status", "--session", "lisa-a", "--json"),
        "list": (lisa, "session", "list", "--json"),
        "send": (lisa, "session", "send", "--session", "lisa-a", "--keys", "Left"),
    }
    runs = {name: (lambda argv=argv: started(argv, machine)) for name, argv in calls.items()}
    took = measure_wall_times(runs, ROUNDS)
    base = median(took["python -c 'import click'"])
    ratios = {name: median(times) / base for name, times in took.items()}
    rows = [(name, format_median_milliseconds(took[name]), f"{ratio:.2f}") for name, ratio in ratios.items()]
    note = f"Whole processes through the launcher, {ROUNDS} rounds. `status`, `list` and `send` ask tmux, too."
    report.add_table("One-shot commands", ("call", "median ms", "x import click"), rows, note)
    assert all(ratios[name] < LIMIT for name in ("exists", "status", "list", "send"))
