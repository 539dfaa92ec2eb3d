"""Subagents and background shells of the real agents in the status."""

from __future__ import annotations

import pytest

from lisa_py.contract.status import Helper
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents

SHELL = '{"command": "sleep 40", "description": "bg", "run_in_background": true}'
SUBAGENT = (
    '{"description": "sub job", "prompt": "[fake gate sub then text from sub]", "subagent_type": "general-purpose",'
    ' "run_in_background": true}'
)


def find(stage: LiveSessionHarness, kind: str, state: str) -> Helper | None:
    found = [each for each in stage.status().helpers or () if (each.kind, each.state) == (kind, state)]
    assert len(found) <= 1, found
    return found[0] if found else None


def test_claude_names_running_helpers(machine: LisaHost, api: FakeModelApi) -> None:
    stage = LiveSessionHarness(machine, api, "claude", permission="bypass").begin()
    stage.send("[fake tool sleep 1 then text no helper]")
    stage.wait_until_idle()
    assert not stage.status().helpers
    stage.send(f"[fake call Bash {SHELL} then text shell is off]")
    stage.wait_until_idle()
    status = stage.wait_for_status(lambda status: status.helpers)
    assert status.state_detail == "1 background shell still runs"
    (shell,) = status.helpers
    assert (shell.kind, shell.state, shell.name) == ("shell", "running", "sleep 40")
    stage.send(f"[fake call Agent {SUBAGENT} then text agent is off]")
    subagent = wait_until(lambda: find(stage, "subagent", "running"), timeout=30, what="the subagent")
    assert subagent.name == "sub job"
    wait_until(lambda: "agent is off" in stage.screen(), what="the turn is over")
    assert stage.status().session_state == "in_progress"  # claude itself waits for it
    explained = machine.lisa("session", "explain", "--session", stage.name).out
    assert "subagent: running" in explained
    assert machine.lisa("session", "list", "--with-next-action", "--json").json["items"][0]["helpers"] == 2
    api.open("sub")
    wait_until(lambda: find(stage, "subagent", "ended"), timeout=30, what="its end")
    stage.wait_until_idle()
    assert find(stage, "subagent", "running") is None


def test_codex_names_a_running_subagent(machine: LisaHost, api: FakeModelApi) -> None:
    stage = LiveSessionHarness(machine, api, "codex", permission="bypass").begin()
    stage.send("[fake spawn helper [fake gate child then text by the child] then text parent ends]")
    wait_until(lambda: "parent ends" in stage.screen(), what="the parent does not wait for it")
    status = stage.wait_for_status(lambda status: status.state_detail == "1 subagent still runs")
    assert (status.session_state, status.waiting_for) == ("waiting_input", "prompt")
    api.open("child")
    wait_until(lambda: find(stage, "subagent", "ended"), timeout=30, what="its end")
    assert stage.status().state_detail == ""
