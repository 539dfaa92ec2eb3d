"""Questions to the real claude and codex, also while another sender talks to them."""

from __future__ import annotations

import pytest

from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents


@pytest.fixture(params=pins(older=True), ids=lambda pin: f"{pin.agent}-{pin.version}")
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, request.param.agent, version=request.param.version)


def test_each_question_gets_its_own_reply(stage: LiveSessionHarness) -> None:
    stage.begin()
    prompt = "[fake text one then tool echo x then text two: {last}]"
    asked = stage.lisa("ask", "--text", prompt, "--timeout-seconds", "60")
    assert (asked.code, asked.json["text"]) == (0, "two: x"), asked
    assert asked.json["wholeText"] == "one\n\ntwo: x"
    assert len(asked.json["tools"]) == 1
    assert asked.json["usage"]["modelCalls"] >= 2
    asking = stage.machine.start(
        "session", "ask", "--session", stage.name, "--text", "[fake gate go then text mine]", "--json"
    )
    wait_until(lambda: stage.status().session_state == "in_progress")
    stage.send("[fake text of another]")
    stage.api.open("go")
    out, _ = asking.communicate(timeout=60)
    # codex takes a prompt into the running turn (0.171); the model answers it there
    own = "mine" if stage.agent_name == "claude" else "of another"
    assert (asking.returncode, f'"text":"{own}"' in out) == (0, True), out
    stage.wait_for_text("of another")


def test_a_failed_turn_is_no_reply(stage: LiveSessionHarness) -> None:
    asked = stage.begin().lisa("ask", "--text", "[fake error bad_request]", "--timeout-seconds", "60")
    assert (asked.code, asked.json["ended"], asked.json["errorCode"]) == (1, "failed", "turn_failed"), asked
    assert "malformed" in asked.json["error"]
