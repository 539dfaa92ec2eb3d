"""Real agents behind a program on PATH that chooses their configuration folder or binary."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.agents

VARIABLES = {"claude": "CLAUDE_CONFIG_DIR", "codex": "CODEX_HOME"}
STARTS = {
    "exec": '#!/bin/sh\nexport {variable}={work}\nexec {binary} "$@"\n',
    "child": '#!/bin/sh\nexport {variable}={work}\n{binary} "$@"\nexit $?\n',
    "slow": '#!/bin/sh\nexport {variable}={work}\n[ $# = 1 ] || sleep 0.6\nexec {binary} "$@"\n',
}


@pytest.fixture(params=[("claude", "exec"), ("claude", "child"), ("claude", "slow"), ("codex", "exec")], ids="-".join)
def wrapped(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    """A session whose files are in a folder that only its wrapper names, and whose binary is named by a version."""
    agent, start = request.param
    harness = LiveSessionHarness(machine, api, agent)
    work, versioned = machine.folder / "work", machine.folder / "versions" / "9.9.9"
    (machine.home / f".{agent}").rename(work)
    if agent == "claude":
        (machine.home / ".claude.json").rename(work / ".claude.json")
    machine.env.pop(VARIABLES[agent], None)
    versioned.parent.mkdir()
    versioned.symlink_to(os.path.realpath(shutil.which(agent, path=machine.env["PATH"]) or ""))
    text = STARTS[start].format(variable=VARIABLES[agent], work=work, binary=versioned)
    machine.add_program(agent, text)
    return harness


def test_agent_of_a_wrapper_is_idle_accepts_and_is_read(wrapped: LiveSessionHarness) -> None:
    wrapped.begin("", "--agent-args", "")
    assert wrapped.send("[fake wait 30 then text one]").json["delivered"] is True
    wrapped.wait_for_status(lambda status: status.session_state == "in_progress")
    wrapped.lisa("send", "--keys", "Escape")
    wrapped.wait_until_idle()
    assert wrapped.send("[fake text second]").json["delivered"] is True
    wrapped.wait_until_idle()
    assert wrapped.model_prompts()[-1] == "[fake text second]"
    assert wrapped.transcript_prompts()[-1] == "[fake text second]"


def test_ended_session_of_a_slow_wrapper_is_read(machine: LisaHost, api: FakeModelApi) -> None:
    """Without hooks only the records lead to the transcript; at the spawn the agent had not started."""
    harness = LiveSessionHarness(machine, api, "claude", settings={"disableAllHooks": True})
    work = machine.folder / "work"
    (machine.home / ".claude").rename(work)
    (machine.home / ".claude.json").rename(work / ".claude.json")
    machine.env.pop("CLAUDE_CONFIG_DIR", None)
    binary = os.path.realpath(shutil.which("claude", path=machine.env["PATH"]) or "")
    starter = f'#!/bin/sh\n[ $# = 1 ] || sleep 3\nexport CLAUDE_CONFIG_DIR={work}\nexec {binary} "$@"\n'
    machine.add_program("claude", starter)
    harness.begin("[fake text the answer]", "--agent-args", "")
    assert harness.lisa("monitor", "--timeout-seconds", "60").json["waitingFor"] == "prompt"
    assert harness.send("/exit").json["sessionState"] == "completed"
    read = harness.lisa("capture", "--transcript")
    assert read.code == 0, read
    assert "the answer" in read.out.replace("[fake text the answer]", "")


def test_ended_run_of_a_wrapper_is_read(wrapped: LiveSessionHarness) -> None:
    wrapped.begin("[fake text the answer]", "--agent-args", "", mode="exec")
    wrapped.wait_for_status(lambda status: status.session_state == "completed")
    read = wrapped.lisa("capture", "--transcript")
    assert read.code == 0, read
    assert "the answer" in read.out.replace("[fake text the answer]", "")
