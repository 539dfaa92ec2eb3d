"""Random work on a fleet: no wrong state, no lost wait, bounded memory of running processes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import mean, median

import psutil
import pytest

from lisa_py.host import processes
from tests.bench.conftest import BenchmarkReport
from tests.bench.fleet_load import Conversation, FleetLoad
from tests.bench.timing import percentile
from tests.lisa_host import LisaHost, read_environment
from tests.polling import wait_until

SESSIONS = int(os.environ.get("SOAK_SESSIONS", "200"))
SECONDS = 60 * float(os.environ.get("SOAK_MINUTES", "30"))
PAUSE_SECONDS = float(os.environ.get("SOAK_PAUSE_SECONDS", "0.5"))
"""Mean pause of a worker between two actions."""
WORKERS = 4
SAMPLE_SECONDS = 2.0
MAX_GROWTH = 1.15
MAX_MORE_HANDLES = 8
TMUX = "tmux server"


class _Sample:
    """Memory, handles and threads of a process over time."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.resident: list[int] = []
        self.handles: list[int] = []
        self.threads: list[int] = []

    def take(self) -> None:
        self.resident.append(self._process.memory_info().rss)
        self.handles.append(self._process.num_fds())
        self.threads.append(self._process.num_threads())


def split(values: Sequence[int]) -> tuple[int, int]:
    """Return the largest value of the first half, in which it may settle, and of the last quarter."""
    return max(values[: max(1, len(values) // 2)]), max(values[-max(1, len(values) // 4) :])


def count_processes(machine: LisaHost) -> list[str]:
    """Return the processes of this host."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        try:
            own = f"HOME={machine.home}" in read_environment(process.pid)
        except (psutil.Error, OSError):
            continue
        if own and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(" ".join(process.info["cmdline"] or ()))
    return found


def run_load(machine: LisaHost, report: BenchmarkReport, *, count: int, seconds: float, pause: float) -> None:
    seed = int(time.time())
    print(f"seed {seed}")
    load = FleetLoad(machine, count, seed)
    conversations = [Conversation(machine) for _ in range(WORKERS)]
    load.spawn_all(conversations[0])
    followers = {
        "session list --watch-json": machine.start("session", "list", "--watch-json", "--watch-interval", "10"),
        "watch": machine.start("watch", "--json", "--notify", "exec:true"),
        "session wait --all --until-state not_found": machine.start(
            "session", "wait", "--all", "--until-state", "not_found", "--stream-json"
        ),
    }
    for follower in followers.values():
        threading.Thread(target=lambda lines=follower.stdout: all(lines or ()), daemon=True).start()
    samples = {f"peer {number + 1}": _Sample(each.pid) for number, each in enumerate(conversations)}
    samples |= {name: _Sample(follower.pid) for name, follower in followers.items()}
    server = processes.read_process(machine.context().tmux(machine.context().project()).read_server_pid())
    assert server is not None
    samples[TMUX] = _Sample(server.pid)
    busy: list[float] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        workers = [pool.submit(load.work, each, number, pause) for number, each in enumerate(conversations)]
        end = time.monotonic() + seconds
        while time.monotonic() < end and not any(worker.done() for worker in workers):
            time.sleep(SAMPLE_SECONDS)  # not a wait for a condition: it is the interval of the samples
            busy.append(os.getloadavg()[0])
            for sample in samples.values():
                sample.take()
        load.stop()
    for worker in workers:
        worker.result()
    ended = {name: follower.poll() for name, follower in followers.items()}
    killed = conversations[0].call("session kill-all")
    for follower in followers.values():
        follower.close()
    for conversation in conversations:
        conversation.close()
    add_tables(report, load, samples, f"{count} sessions, {seconds / 60:.0f} minutes", mean(busy))
    assert not load.problems, "\n".join(load.problems[:20])
    assert ended == dict.fromkeys(followers)
    assert killed["ok"] and killed["killed"] == count, killed
    wait_until(lambda: not count_processes(machine), what="no process is left")
    for name, sample in samples.items():
        (settled, last), (handles, more), (threads, others) = map(
            split, (sample.resident, sample.handles, sample.threads)
        )
        assert last < MAX_GROWTH * settled or name == TMUX, name  # tmux keeps what the sessions print
        assert more <= handles + MAX_MORE_HANDLES, name
        assert others <= threads + MAX_MORE_HANDLES, name


def add_tables(report: BenchmarkReport, load: FleetLoad, samples: dict[str, _Sample], title: str, busy: float) -> None:
    rows = [
        (
            name,
            *(f"{part / 1e6:.1f}" for part in split(sample.resident)),
            *split(sample.handles),
            *split(sample.threads),
        )
        for name, sample in samples.items()
    ]
    work = ", ".join(f"{count} x {name}" for name, count in sorted(load.done.items()))
    late = load.reactions or [0.0]
    report.add_table(
        f"Random work on a fleet: {title}",
        ("process", "MB, first half", "MB, last quarter", "handles, first half", "last", "threads, first half", "last"),
        rows,
        f"{WORKERS} workers, mean load of the machine {busy:.1f}. Work: {work}. Wrong states, lost waits, lost output: "
        f"{len(load.problems)}. A turn ends: seen over a peer after {median(late) * 1000:.0f} ms at p50, "
        f"{percentile(late, 0.95) * 1000:.0f} at p95, at most {max(late) * 1000:.0f}.",
    )


@pytest.mark.soak
def test_fleet_under_random_work(machine: LisaHost, report: BenchmarkReport) -> None:
    run_load(machine, report, count=SESSIONS, seconds=SECONDS, pause=PAUSE_SECONDS)
