"""Checkpoints of the real agents: their content, and resuming the conversation after the end."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.agents


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_killed_session_resumes_its_conversation(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    stage = LiveSessionHarness(machine, api, agent)
    stage.begin("[fake text the answer is 42]").wait_until_idle()
    assert stage.lisa("diff-pack").json["source"] == "transcript"
    assert stage.lisa("diff-pack").json["changed"] is False
    stage.lisa("checkpoint", "save", "--file", "c.json")
    held = json.loads((machine.project / "c.json").read_text())
    assert held["source"] == "transcript" and held["captureTail"].endswith("the answer is 42")
    stage.lisa("kill")
    resumed = stage.lisa("checkpoint", "resume", "--file", "c.json").json
    assert resumed["live"] is False
    words = shlex.split(resumed["respawnCommand"])[1:]
    again = machine.lisa(*words, "--session", stage.name)
    assert again.code == 0, again
    stage.wait_until_idle()
    pack = stage.lisa("context-pack").json
    assert pack["source"] == "transcript" and "the answer is 42" in pack["pack"]
