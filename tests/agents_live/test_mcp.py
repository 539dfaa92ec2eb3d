"""Real claude and codex use the tools of lisa: spawn, wait, answer a permission, read, kill."""

from __future__ import annotations

import json

import pytest

from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents
CHILD = "lisa-child"


@pytest.fixture(params=pins(), ids=lambda pin: f"{pin.agent}-{pin.version}")
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, request.param.agent, version=request.param.version)


def test_an_agent_drives_another_one(stage: LiveSessionHarness) -> None:
    name = {"session": CHILD}
    calls = (
        ("session_spawn", {"prompt": "[ask touch permitted]", "agent": "scripted", "name": CHILD}),
        ("session_wait", {}),
        ("session_status", name),
        ("session_send", {**name, "answer": "yes"}),
        ("session_wait", {"sessions": [CHILD], "timeout": 20}),
        ("session_read", name),
        ("session_kill", name),
        ("session_status", {"session": stage.name}),
    )
    steps = ["find agent session", *(f"mcp {tool} {json.dumps(args)}" for tool, args in calls)]
    prompt = f"[fake {' then '.join([*steps, 'text the end {last}'])}]"
    # a claude that asks for each call waits for its user; the tools of lisa are allowed as any others
    stage.begin(prompt, "--tools", *(["--allowed-tools", "mcp__lisa"] if stage.agent_name == "claude" else []))
    stage.wait_for_text("the end")
    stage.wait_until_idle()
    assert (stage.machine.project / "permitted").exists()
    shown = stage.machine.lisa("session", "history", "--session", stage.name, "--json").json["frames"]
    results = [frame["payload"]["content"] for frame in shown if frame["type"] == "tool_result"]
    spawned, waited, asked, answered, waited_again, read, killed, refused = results[-len(calls) :]
    assert CHILD in spawned
    assert "permission" in waited
    assert "choices" in asked
    assert "delivered" in answered
    assert "waiting_input" in waited_again
    assert "touch permitted" in read
    assert "archive" in killed
    assert "session_out_of_scope" in refused
    tree = stage.machine.lisa("session", "tree", "--json").json
    assert CHILD not in json.dumps(tree)


def test_installed_tools_work_in_the_first_turn(stage: LiveSessionHarness) -> None:
    done = stage.machine.lisa("mcp", "install", "--agent", stage.agent_name, "--json")
    assert done.code == 0, done
    flags = ["--allowed-tools", "mcp__lisa"] if stage.agent_name == "claude" else []
    stage.begin("[fake find agent session then mcp session_list {} then text listed {last}]", *flags, mode="exec")
    wait_until(lambda: stage.status().session_state == "completed", timeout=60, what=str(stage.status()))
    assert stage.name in stage.lisa("capture", "--last").json["capture"]
