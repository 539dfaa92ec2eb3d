"""Cost of a command over an open peer and over a kept-alive connection, beside a new process and tmux alone."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import subprocess
from collections.abc import Callable
from statistics import median

import psutil
import pytest

from tests.bench.conftest import BenchmarkReport
from tests.bench.timing import format_median_milliseconds, measure_wall_times
from tests.commands.test_peer import Peer
from tests.lisa_host import LisaHost
from tests.server_kit import serving
from tests.session_harness import SessionHarness

pytestmark = pytest.mark.bench
ROUNDS = 101
MAX_CPU_SECONDS = 0.003
MAX_EXTRA_SECONDS = 0.005
"""Beyond the time of tmux's own client."""


def measure_cpu(pid: int, call: Callable[[], object]) -> float:
    """Return the CPU seconds of a process and its ended children per call."""
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:4])
    for _ in range(ROUNDS):
        call()
    return float(sum(process.cpu_times()[:4]) - before) / ROUNDS


def test_status_over_a_peer_and_a_connection(machine: LisaHost, report: BenchmarkReport) -> None:
    stage = SessionHarness(machine).spawn("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")
    peer = Peer(machine)
    tmux = [shutil.which("tmux") or "tmux", "-S", stage.ctx.server(stage.ref).socket, "list-panes", "-a"]
    with serving(machine) as server, contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as open_:
        body, headers = json.dumps({"session": stage.name}), {"Authorization": f"Bearer {server.key}"}

        def ask_server() -> None:
            open_.request("POST", "/commands/session/status", body, {**headers, "X-LC-OID": server.project_id})
            reply = open_.getresponse()
            assert json.loads(reply.read())["session"] == stage.name and reply.status == 200

        def ask_peer() -> None:
            assert peer.call("session status", session=stage.name)["answer"]["session"] == stage.name

        calls: dict[str, Callable[[], object]] = {
            "tmux list-panes": lambda: subprocess.run(tmux, capture_output=True, check=True),
            "status over a peer": ask_peer,
            "status over a kept-alive connection": ask_server,
            "`lisa session status`": lambda: stage.lisa("status"),
        }
        for call in calls.values():
            call()
        took = measure_wall_times(calls, ROUNDS)
        spent = {
            "CPU of the peer, per status": measure_cpu(peer.process.pid, ask_peer),
            "CPU of the server, per status": measure_cpu(server.process.pid, ask_server),
        }
    peer.close()
    rows: list[tuple[object, ...]] = [(name, format_median_milliseconds(times)) for name, times in took.items()]
    rows += [(name, f"{seconds * 1000:.1f}") for name, seconds in spent.items()]
    report.add_table("A command over `lisa peer` and `lisa serve`", ("", "median ms"), rows, f"{ROUNDS} rounds.")
    alone, over_peer, over_connection, process_call = (median(times) for times in took.values())
    assert over_peer < 0.2 * process_call
    assert over_peer < alone + MAX_EXTRA_SECONDS
    assert over_connection < alone + MAX_EXTRA_SECONDS
    assert all(seconds < MAX_CPU_SECONDS for seconds in spent.values())
