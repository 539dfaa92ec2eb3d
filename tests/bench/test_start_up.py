"""One-shot commands against the price of starting Python with click, in one interleaved run.

Measured is what users run: the launcher with the virtual environment it makes, which holds no tool of the tests.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest

from tests.machine import Machine

pytestmark = pytest.mark.bench
TREE = Path(__file__).parents[2]
PYTHON = str(TREE / ".venv" / "bin" / "python")
ROUNDS = 40
LIMIT = 1.5


def test_one_shot_commands_cost_little_more_than_importing_click(machine: Machine) -> None:
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
    took: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, argv in calls.items():
            began = time.perf_counter()
            subprocess.run(argv, env=machine.env, cwd=machine.project, stdout=subprocess.DEVNULL, check=True)
            took[name].append(time.perf_counter() - began)
    base = median(took["python -c 'import click'"])
    ratios = {name: median(times) / base for name, times in took.items()}
    print("\n| one-shot | median ms | x import click |\n|---|---|---|")
    for name, ratio in ratios.items():
        print(f"| {name} | {median(took[name]) * 1000:.1f} | {ratio:.2f} |")
    assert all(ratios[name] < LIMIT for name in ("exists", "status", "list", "send"))
