"""A fork of the real claude and codex: it has the conversation, and that of the source is unchanged."""

from __future__ import annotations

import copy

import pytest

from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost

pytestmark = pytest.mark.agents


@pytest.fixture(params=pins(), ids=lambda pin: f"{pin.agent}-{pin.version}")
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, request.param.agent, version=request.param.version)


def conversation(stage: LiveSessionHarness) -> list[str]:
    frames = stage.lisa("history").json["frames"]
    return [frame["payload"]["content"] for frame in frames if frame["type"] in ("user", "assistant")]


def is_continued(request: str, name: str) -> bool:
    """Return True if the model got the prompt of the fork after the conversation of the source."""
    return "the number is 41" in request and f"the copy {name} answers" in request


def test_a_fork_has_the_conversation_of_its_source(stage: LiveSessionHarness) -> None:
    stage.begin().send("[fake text the number is 41]")
    stage.wait_until_idle()
    talk = conversation(stage)
    forks = []
    for name in ("lisa-fork-idle", "lisa-fork-killed"):
        answer = stage.lisa("fork", "--as", name, "--no-dangerously-skip-permissions")
        assert answer.code == 0 and answer.json["method"] == "agent", answer
        forks.append(answer.json)
        fork = copy.copy(stage)
        fork.name, fork.ref = name, stage.ctx.ref(name, str(stage.machine.project))
        fork.wait_until_idle()
        fork.send(f"[fake text the copy {name} answers]")
        fork.wait_until_idle()
        assert f"the copy {name} answers" in conversation(fork)
        assert any(is_continued(str(request.body), name) for request in stage.api.requests)
        assert conversation(stage) == talk == ["[fake text the number is 41]", "the number is 41"]
        fork.lisa("kill")
        if name == "lisa-fork-idle":
            stage.lisa("kill")
    assert forks[0]["id"] != forks[1]["id"] and forks[0]["forkedFrom"] == forks[1]["forkedFrom"]
