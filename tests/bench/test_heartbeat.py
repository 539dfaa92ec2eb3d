"""CPU time of a heartbeat, beside one that starts two programs per beat."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

import lisa_py
from tests.bench.conftest import BenchmarkReport
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.bench
HEARTBEAT = Path(lisa_py.__file__).parent / "pane" / "heartbeat.sh"
SECONDS, ROUNDS = 3.0, 3
SPEED = 500
"""The loops beat so many times faster than in a session."""
EVERY, YARDSTICK_EVERY = 5.0, 4.0
YARDSTICK = """
hangs_on() {
  read -r stat </proc/self/stat
  stat=${stat##*) }
  stat=${stat#* }
  [ "${stat%% *}" = "$1" ]
}
trap 'kill "$pause" 2>/dev/null; exit 0' TERM HUP
while hangs_on "$2"; do
  touch -h "$1/heartbeat" 2>/dev/null
  [ ! -f "$1/limits.sh" ] || limit
  sleep "$3" &
  pause=$!
  wait "$pause"
done
"""


def read_children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure_cpu(argv: list[str], folder: Path, every: float, seconds: float) -> float:
    """Return the CPU seconds of a loop and its children in the time."""
    folder.mkdir()
    (folder / "heartbeat").touch()
    began = read_children_cpu()
    loop = subprocess.Popen(
        [*argv, str(folder), str(os.getpid()), str(every)], stderr=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}
    )
    time.sleep(seconds)
    assert loop.poll() is None
    loop.send_signal(signal.SIGTERM)
    loop.wait()
    return read_children_cpu() - began


def test_heartbeat_costs_a_fraction(machine: LisaHost, report: BenchmarkReport) -> None:
    yardstick = machine.folder / "yardstick.sh"
    yardstick.write_text(YARDSTICK)
    loops = {
        "heartbeat.sh, every 5 s": (["bash", str(HEARTBEAT)], EVERY),
        "`touch` and `sleep`, every 4 s": (["sh", str(yardstick)], YARDSTICK_EVERY),
    }
    spent = dict.fromkeys(loops, 0.0)
    for number in range(ROUNDS):
        for name, (argv, every) in loops.items():
            place = machine.folder / f"{number}-{every}"
            start = measure_cpu(argv, place.with_suffix(".start"), 600, 0.2)
            spent[name] += measure_cpu(argv, place, every / SPEED, SECONDS) - start
    milliseconds = {name: seconds * 1000 / (ROUNDS * SECONDS * SPEED) for name, seconds in spent.items()}
    report.add_table(
        "Heartbeat of a session",
        ("", "CPU ms per second"),
        [(name, f"{cost:.3f}") for name, cost in milliseconds.items()],
        f"{ROUNDS} x {SECONDS:.0f} s at {SPEED} times the pace.",
    )
    new, old = milliseconds.values()
    assert new < 0.14 * old  # 0.05 ms where the yardstick takes 0.36
