"""Cost of one-shot commands compared with a start of Python with click, in interleaved runs.

The launcher is measured with the virtual environment it makes, without the tools of the tests.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest

from tests.bench.conftest import BenchmarkReport
from tests.bench.timing import format_median_milliseconds, measure_wall_and_cpu_times
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.bench
TREE = Path(__file__).parents[2]
PYTHON = str(TREE / ".venv" / "bin" / "python")
ROUNDS = 40
LIMITS = {"version": 0.65, "exists": 0.75, "status": 0.88, "list": 0.9, "send": 1.2}
"""Largest share of the CPU time of `import click`; measured are 0.57, 0.67, 0.78, 0.79 and 1.07."""


def started(argv: Sequence[str], machine: LisaHost) -> None:
    subprocess.run(argv, env=machine.env, cwd=machine.project, stdout=subprocess.DEVNULL, check=True)


def test_one_shot_commands_cost_less_than_importing_click(machine: LisaHost, report: BenchmarkReport) -> None:
    lisa = str(TREE / "lisa")
    subprocess.run([lisa, "version"], check=True, stdout=subprocess.DEVNULL)
    machine.lisa("session", "spawn", "--session", "lisa-a", "--command", "exec sleep 600", "--json")
    calls: dict[str, Sequence[str]] = {
        "python -c pass": (PYTHON, "-c", "pass"),
        "python -c 'import click'": (PYTHON, "-c", "import click"),
        "version": (lisa, "version"),
        "exists": (lisa, "session", "exists", "--session", "lisa-a"),
        "status": (lisa, "session", "status", "--session", "lisa-a", "--json"),
        "list": (lisa, "session", "list", "--json"),
        "send": (lisa, "session", "send", "--session", "lisa-a", "--keys", "Left"),
    }
    runs = {name: (lambda argv=argv: started(argv, machine)) for name, argv in calls.items()}
    took = measure_wall_and_cpu_times(runs, ROUNDS)
    used = {name: [cpu for _, cpu in times] for name, times in took.items()}
    base = median(used["python -c 'import click'"])
    ratios = {name: median(times) / base for name, times in used.items()}
    rows = [(name, format_median_milliseconds(used[name]), f"{ratio:.2f}") for name, ratio in ratios.items()]
    note = f"CPU time of processes through the launcher, {ROUNDS} rounds, medians. All but `version` ask tmux, too."
    report.add_table("One-shot commands", ("call", "CPU ms", "x import click"), rows, note)
    assert {name for name, limit in LIMITS.items() if ratios[name] >= limit} == set()
