"""Direct system reads against the libraries that do the same, and the price of loading the libraries."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import filelock
import psutil
import pytest

from lisa_py.host import processes
from tests.bench.conftest import BenchmarkReport
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.bench
ROUNDS = 30
START_ROUNDS = 9
MIN_RATIO = 2.0
"""A direct read that saves less than half has no reason to stay."""


def median_seconds(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return median(took)


def read_tree_with_psutil() -> list[object]:
    me = psutil.Process()
    found: list[object] = []
    for process in (me, *me.children(recursive=True)):
        with process.oneshot():
            found.append((process.create_time(), process.status(), process.cpu_times(), process.cmdline()))
    return found


def lock_directly(path: Path) -> None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


def lock_with_filelock(path: Path) -> None:
    with filelock.FileLock(path):
        pass


def test_direct_reads_cost_less_than_half(machine: LisaHost, tmp_path: Path, report: BenchmarkReport) -> None:
    children = [subprocess.Popen(["sleep", "60"]) for _ in range(5)]
    ctx = machine.context()
    tmux = ctx.tmux(ctx.project())
    tmux.new_session("lisa-a", ["/bin/sleep", "60"], root=str(machine.project), width=80, height=24)
    server = tmux.as_libtmux()
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "process tree of six, psutil": (lambda: processes.read_tree(os.getpid()), read_tree_with_psutil),
        "free lock, filelock": (lambda: lock_directly(tmp_path / "a"), lambda: lock_with_filelock(tmp_path / "b")),
        "panes of a server, libtmux": (tmux.list_panes, lambda: list(server.panes)),
    }
    try:
        ratios = {name: median_seconds(library) / median_seconds(direct) for name, (direct, library) in pairs.items()}
    finally:
        for child in children:
            child.kill()
            child.wait()
    base = median_seconds(lambda: load("os"), START_ROUNDS)
    loads = {name: median_seconds(lambda name=name: load(name), START_ROUNDS) / base for name in LIBRARIES}
    rows = [(name, f"{ratio:.1f}") for name, ratio in ratios.items()]
    rows += [(f"start of Python with {name}", f"{ratio:.1f}") for name, ratio in loads.items()]
    report.add_table("Libraries beside direct reads", ("", "x direct"), rows, "A start is compared with a bare start.")
    assert min(ratios["process tree of six, psutil"], ratios["free lock, filelock"]) > MIN_RATIO


LIBRARIES = ("orjson", "psutil", "filelock", "libtmux")


def load(name: str) -> None:
    subprocess.run([sys.executable, "-P", "-c", f"import {name}"], check=True)
