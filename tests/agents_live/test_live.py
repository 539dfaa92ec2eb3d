"""The live conversation of the real claude and codex: complete, in order, across /clear, with dialogs."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents
OUT_OF_ORDER = "2.1.197"
"""Version of claude that may record a quick answer before its prompt; frames keep the order of the file."""


@pytest.fixture(params=pins(older=True), ids=lambda pin: f"{pin.agent}-{pin.version}")
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, request.param.agent, version=request.param.version)


def contents(frames: list[dict[str, Any]], *kinds: str) -> list[str]:
    return [frame["payload"]["content"] for frame in frames if frame["type"] in kinds and frame["payload"]["content"]]


def test_conversation_is_read_over_clear(stage: LiveSessionHarness) -> None:
    stage.begin().send("[fake text first answer]")
    stage.wait_until_idle()
    stage.send("/clear")
    stage.send("[fake text second answer]")
    stage.wait_until_idle()
    frames = stage.lisa("history").json["frames"]
    texts = [text for text in contents(frames, "user", "assistant") if isinstance(text, str)]
    turns = [["[fake text first answer]", "first answer"], ["[fake text second answer]", "second answer"]]
    if (
        stage.agent_version == "2.1.197"
    ):  # it may record a quick answer before its prompt, and frames keep the file's order
        texts = [*sorted(texts[:2]), *sorted(texts[2:])]
    assert texts == [text for turn in turns for text in turn]
    for index in range(0, len(frames), 4):
        later = stage.lisa("history", "--since", frames[index]["cursor"]).json["frames"]
        known = frames[index + 1 :]  # claude writes the duration of a turn a moment after its end
        assert later[: len(known)] == known
    assert stage.lisa("kill").json["archive"] == frames[0]["session_id"]
    assert stage.lisa("history").json["frames"][: len(frames)] == frames


def test_attached_reader_sees_a_tool_call_whole(stage: LiveSessionHarness) -> None:
    stage.begin()
    running = stage.machine.start("session", "attach", "--session", stage.name, "--raw")
    assert json.loads(running.stdout.readline())["type"] == "session_status"
    stage.send("[fake tool echo live]")
    stage.wait_until_idle()
    frames: list[dict[str, Any]] = []

    def has_result() -> bool:
        frames.append(json.loads(running.stdout.readline()))
        return frames[-1]["type"] == "result"

    wait_until(has_result, timeout=30)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    calls = [frame["payload"] for frame in frames if frame["type"] == "tool_use"]
    assert len(calls) == 1 and "echo live" in json.dumps(calls[0]["input"])
    result = next(frame["payload"] for frame in frames if frame["type"] == "tool_result")
    assert result["tool_use_id"] == calls[0]["id"] and "live" in result["content"]
    kinds = [frame["type"] for frame in frames]
    assert kinds.index("tool_use") < kinds.index("tool_result") < kinds.index("result")
    assert kinds.index("user") < (len(kinds) if stage.agent_version == OUT_OF_ORDER else kinds.index("tool_use"))
