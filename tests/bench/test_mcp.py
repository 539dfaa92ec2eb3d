"""Cost of the tools of `lisa mcp`: start and memory of the server, and a call beside the same command over a peer."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

import psutil
import pytest

from tests.bench.conftest import BenchmarkReport
from tests.bench.timing import format_median_milliseconds, measure_wall_times
from tests.commands.test_peer import Peer
from tests.lisa_host import LisaHost
from tests.mcp.mcp_client import McpClient
from tests.session_harness import SessionHarness

pytestmark = pytest.mark.bench
ROUNDS = 51
START_ROUNDS = 5
MAX_EXTRA_SECONDS = 0.05
"""Time of a call beyond that of its command."""
MAX_START_RATIO = 2.0
"""Until the first answer, beside the import of the SDK."""
SDK = "import mcp.server.lowlevel, mcp.server.stdio"


def test_tools_cost_little_more_than_their_commands(machine: LisaHost, report: BenchmarkReport) -> None:
    stage = SessionHarness(machine).spawn("[say hello]")
    stage.wait_for_text("● hello")
    stage.wait_for_state("idle")

    def start_server() -> None:
        McpClient(machine.env, machine.project).close()

    started = measure_wall_times(
        {
            "import of the SDK": lambda: subprocess.run([sys.executable, "-c", SDK], check=True),
            "server until it answers, and its end": start_server,
        },
        START_ROUNDS,
    )
    peer, client = Peer(machine), McpClient(machine.env, machine.project)
    try:
        server = next(
            each
            for each in psutil.Process().children()
            if each.cmdline()[-1:] == ["mcp"] and each.pid != peer.process.pid
        )
        calls = {
            "session status over a peer": lambda: peer.call("session status", session=stage.name),
            "session_status": lambda: client.call("session_status", session=stage.name),
            "session_read": lambda: client.call("session_read", session=stage.name),
            "session_list": lambda: client.call("session_list"),
        }
        for call in calls.values():
            call()
        took = measure_wall_times(calls, ROUNDS)
        resident = server.memory_info().rss / 1e6
    finally:
        client.close()
        peer.close()
    rows: list[tuple[object, ...]] = [(name, format_median_milliseconds(times)) for name, times in started.items()]
    rows += [(name, format_median_milliseconds(times)) for name, times in took.items()]
    rows.append(("resident MB of the server", f"{resident:.0f}"))
    report.add_table("Tools over `lisa mcp`", ("", "median ms"), rows, f"{ROUNDS} rounds; starts {START_ROUNDS}.")
    alone, *tools = (median(times) for times in took.values())
    assert all(each < alone + MAX_EXTRA_SECONDS for each in tools)
    sdk, start = (median(times) for times in started.values())
    assert start < MAX_START_RATIO * sdk + 1
