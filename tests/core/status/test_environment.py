"""Environment variables that change the evidence."""

from __future__ import annotations

import os
import time

import psutil
import pytest

from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

WRAPPER = """#!/bin/bash
case "$*" in *--version*) echo '2.1.329 (Claude Code)'; exit;; *--help*) exit;; esac
exec -a launcher bash -c '(exec -a Weird sleep 600); echo the real agent has ended'
"""


@pytest.mark.parametrize(
    ("variable", "found"),
    [
        ("", False),
        ("LISA_AGENT_PROCESS_MATCH", True),
        ("LISA_AGENT_PROCESS_MATCH_CLAUDE", True),
        ("LISA_AGENT_PROCESS_MATCH_CODEX", False),
    ],
)
def test_configured_wrapper_name_is_identified(machine: LisaHost, variable: str, found: bool) -> None:
    machine.add_program("claude", WRAPPER)
    stage = SessionHarness(machine)
    assert stage.lisa("spawn", "--agent", "claude").code == 0
    words = {variable: "other, weird"} if variable else {}
    pid = wait_until(lambda: stage.lisa("status", env=words).json["agentPid"])
    assert (psutil.Process(pid).cmdline()[0] == "Weird") is found


def test_limits_of_heartbeat_and_output_age(machine: LisaHost) -> None:
    stage = SessionHarness(machine).run("echo said")
    wait_until(lambda: stage.status().session_state == "completed")
    ago = time.time() - 100
    os.utime(stage.ref.heartbeat, (ago, ago))
    old = stage.lisa("status").json
    young = stage.lisa("status", env={"LISA_HEARTBEAT_STALE_SECONDS": "1000"}).json
    assert (old["heartbeatFreshSeconds"], old["signals"]["heartbeatFresh"]) == (8, False)
    assert (young["heartbeatFreshSeconds"], young["signals"]["heartbeatFresh"]) == (1000, True)
    assert young["outputFreshSeconds"] == 240 and young["signals"]["outputFresh"] is True
    stale = {"LISA_OUTPUT_STALE_SECONDS": "1"}
    wait_until(lambda: stage.lisa("status", env=stale).json["signals"]["outputFresh"] is False)


def test_history_limit_of_a_pane(machine: LisaHost) -> None:
    machine.env["LISA_HISTORY_LINES"] = "100"
    stage = SessionHarness(machine).run("seq 1 2000; echo end; sleep 600")
    kept = wait_until(lambda: (text := stage.lisa("capture", "--raw", "--lines", "5000").json["capture"]) and
                      "end" in text and text)  # fmt: skip
    assert 100 <= len(kept.splitlines()) <= 200
    assert "\n2000\n" in kept and "\n1\n" not in kept
