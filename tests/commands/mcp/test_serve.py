"""lisa mcp: what it refuses, and how it ends."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.lisa_host import PROGRAM, LisaHost


def test_terminal_input_is_refused(machine: LisaHost) -> None:
    code, shown = machine.show("mcp")
    assert code == 1
    assert "lisa mcp install --agent claude" in shown


def test_server_ends_with_its_client(machine: LisaHost) -> None:
    for words in (("mcp",), ("mcp", "serve")):
        ended = subprocess.run(
            [*PROGRAM, *words], cwd=machine.project, env=machine.env, stdin=subprocess.DEVNULL, capture_output=True
        )
        assert (ended.returncode, ended.stdout) == (0, b""), ended


def test_a_missing_folder_is_refused(machine: LisaHost) -> None:
    refused = machine.lisa("mcp", "serve", "--project-root", "/nonexistent", "--json", stdin="")
    assert (refused.code, refused.json["errorCode"]) == (1, "invalid_project_root")


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGHUP, signal.SIGINT))
def test_signal_ends_the_server_at_once(machine: LisaHost, number: signal.Signals) -> None:
    running = subprocess.Popen(
        [*PROGRAM, "mcp"], cwd=machine.project, env=machine.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with running:
        assert running.stdin is not None and running.stdout is not None
        running.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        running.stdin.flush()
        assert running.stdout.readline()  # it serves
        running.send_signal(number)
        assert running.wait(20) == 128 + number
