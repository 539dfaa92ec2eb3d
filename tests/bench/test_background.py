"""Cost of everything that runs while no one is attached, beside idle and working agents."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psutil
import pytest

import lisa_py
from lisa_py.store import session_records
from tests.agents_kit import find_binary
from tests.agents_live.live_harness import LiveSessionHarness
from tests.bench.conftest import BenchmarkReport
from tests.commands.test_peer import Peer
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.mcp.mcp_client import McpClient
from tests.polling import wait_until
from tests.server_kit import serving
from tests.session_harness import SessionHarness

pytestmark = pytest.mark.bench
SETTLED, SECONDS = 12.0, 20.0
MAX_SHARE = 1.0
"""Percent of a core."""
HOOK = Path(lisa_py.__file__).parent / "pane" / "hook.sh"
HOOK_CALLS = 40
HOOK_PAYLOAD = {"session_id": "x" * 36, "transcript_path": "/tmp/x" * 10, "hook_event_name": "Stop", "cwd": "/tmp"}


def read_cpu(pid: int) -> float:
    """Return the CPU seconds of all threads of a process, and of its children that have ended."""
    seconds = 0.0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            seconds += int((thread / "schedstat").read_text().split()[0]) / 1e9
    ended = psutil.Process(pid).cpu_times()
    return seconds + ended.children_user + ended.children_system


def find_below(pid: int, word: str) -> int:
    """Return the process below another one that has a word in its command line."""
    return wait_until(
        lambda: next(
            (each.pid for each in psutil.Process(pid).children(recursive=True) if word in " ".join(each.cmdline())), 0
        ),
        what=f"{word} runs",
    )


@contextlib.contextmanager
def agents_at_work(machine: LisaHost) -> Iterator[tuple[str, list[SessionHarness]]]:
    """Yield an idle session and a working one: codex and claude, or scripted agents where these are not installed."""
    limit = ("--task-budget-tokens", "1000000")
    if find_binary("claude") is None or find_binary("codex") is None:
        idle, working = SessionHarness(machine, "lisa-idle").spawn("", *limit), SessionHarness(machine, "lisa-work")
        working.spawn("[hang]")
        yield "scripted agents", [idle, working]
        return
    with FakeModelApi() as api:
        idle_codex = LiveSessionHarness(machine, api, "codex").begin("", *limit)
        claude = LiveSessionHarness(machine, api, "claude").begin()
        claude.send("[fake hang 600]")
        claude.wait_for_status(lambda status: status.session_state == "in_progress")
        yield "codex and claude", [idle_codex, claude]


def test_cost_of_background_processes(machine: LisaHost, report: BenchmarkReport) -> None:
    with contextlib.ExitStack() as running:
        names, (idle, working) = running.enter_context(agents_at_work(machine))
        queued = working.lisa("send", "--text", "later", "--enter", "--when", "idle")
        assert queued.code == 0, queued
        peer, client = Peer(machine), McpClient(machine.env, machine.project)
        running.callback(peer.close)
        running.callback(client.close)
        server = running.enter_context(serving(machine))
        watch = machine.start("watch", "--json", "--notify", "exec:true")
        listing = machine.start("session", "list", "--watch-json", "--watch-interval", "60")
        meta = session_records.read_meta(idle.ref)
        assert meta is not None
        supervisor = meta.pane_pid
        pids = {
            "supervisor of a session": supervisor,
            "heartbeat of a session": find_below(supervisor, "heartbeat.sh"),
            "limit process of an idle session": read_pid(idle, "limits.pid"),
            "outbox courier of a working session": read_pid(working, "outbox.pid"),
            "`lisa watch`": watch.pid,
            "`lisa session list --watch-json`": listing.pid,
            "`lisa serve`, no client": server.process.pid,
            "`lisa peer`, no request": peer.process.pid,
            "`lisa mcp`, no request": find_below(os.getpid(), " mcp"),
        }
        time.sleep(SETTLED)  # not a wait for a condition: the quiet itself is measured
        before, began = {name: read_cpu(pid) for name, pid in pids.items()}, time.monotonic()
        time.sleep(SECONDS)
        seconds = time.monotonic() - began
        shares = {name: (read_cpu(pid) - before[name]) / seconds * 100 for name, pid in pids.items()}
        rows = [(name, f"{share:.3f} %", f"{read_private_memory(pids[name]):.1f}") for name, share in shares.items()]
    report.add_table(
        "What runs in the background",
        ("process", "share of a core", "own memory, MB"),
        rows,
        f"Beside {names}, one idle, one working; CPU time over {SECONDS:.0f} s.",
    )
    assert all(share < MAX_SHARE for share in shares.values()), rows


def read_pid(stage: SessionHarness, name: str) -> int:
    path = Path(stage.ref.file(name))
    return wait_until(lambda: path.exists() and int(path.read_text().split()[0] or 0), what=f"{name} is written")


def read_private_memory(pid: int) -> float:
    """Return the memory in MB that no other process shares."""
    return float(psutil.Process(pid).memory_full_info().uss) / 1e6


def test_cost_of_a_hook(machine: LisaHost, report: BenchmarkReport) -> None:
    folder = machine.folder / "session"
    folder.mkdir()
    payload = json.dumps(HOOK_PAYLOAD).encode()

    def run(*argv: str) -> float:
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            assert process.stdin is not None
            process.stdin.write(payload)
            process.stdin.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_utime + usage.ru_stime

    took: dict[str, list[float]] = {"hook.sh": [], "sh -c 'cat >/dev/null'": []}
    for _ in range(HOOK_CALLS):
        took["hook.sh"].append(run("sh", str(HOOK), str(folder), "Stop"))
        took["sh -c 'cat >/dev/null'"].append(run("sh", "-c", "cat >/dev/null"))
    assert len((folder / "hooks.jsonl").read_text().splitlines()) == HOOK_CALLS
    rows = [(f"`{name}`", f"{median(times) * 1000:.1f}") for name, times in took.items()]
    report.add_table("One call of the hook of an agent", ("", "CPU ms"), rows, f"Median of {HOOK_CALLS}.")
    hook, shell = map(median, took.values())
    assert hook < 10 * shell
