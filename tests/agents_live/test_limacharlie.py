"""The real client, a real claude and a real codex: prompt, permission, interrupt, history, end."""

from __future__ import annotations

import json

import pytest

from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.client_kit import CLIENT, TypedClient, call_client, client_environment
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.server_kit import serving

pytestmark = pytest.mark.agents


@pytest.fixture(params=pins(), ids=lambda pin: pin.agent)
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    if not CLIENT.program.exists():
        pytest.skip(CLIENT.reason)
    return LiveSessionHarness(machine, api, request.param.agent)


def test_client_runs_a_conversation(stage: LiveSessionHarness) -> None:
    stage.begin()
    made = stage.machine.project / "made"
    with serving(stage.machine, "--interactive-api-sessions"):
        env = client_environment(stage.machine)
        typed = TypedClient(env, "ai", "session", "attach", "--id", stage.name, "--interactive")
        try:
            typed.wait_for("Attached to session")
            typed.type(f"[fake ask touch {made} then text finished]")
            typed.wait_for("Approve? [y/n/session]:")
            typed.type("y")
            stage.wait_until_idle()
            typed.type_until("y", "  finished\n")
            assert made.exists() and "approved (this call)" in typed.text
            typed.type("[fake slow 60 many words]")
            stage.wait_for_status(lambda status: status.session_state == "in_progress")
            typed.type("/interrupt")
            typed.wait_for("interrupted")
            assert typed.leave() == 0
        finally:
            typed.close()
        stage.wait_until_idle()
        call = ("ai", "session", "history", "--id", stage.name, "--raw")
        theirs, ours = call_client(*call, env=env), stage.machine.lisa(*call, check_schema=False)
        assert (theirs.code, theirs.out) == (ours.code, ours.out)
        ended = call_client("ai", "session", "terminate", "--id", stage.name, env=env)
        assert json.loads(ended.out) == {"terminated": True}
        call = ("ai", "session", "attach", "--id", stage.name, "--raw")
        theirs, ours = call_client(*call, env=env), stage.machine.lisa(*call, check_schema=False)
        assert theirs.code == 0 and theirs.out == ours.out and "session_end" in theirs.out


def test_answers_of_the_client_are_applied(stage: LiveSessionHarness) -> None:
    """No, session and a choice: each typed once for the prompt that the client sends, and once for its question."""
    stage.begin()
    step = "tool" if stage.agent_name == "claude" else "ask"
    command = "touch same" if stage.agent_name == "codex" else "touch other"
    with serving(stage.machine, "--interactive-api-sessions"):
        env = client_environment(stage.machine)
        typed = TypedClient(env, "ai", "session", "attach", "--id", stage.name, "--interactive")
        try:
            typed.wait_for("Attached to session")
            for number, (prompt, answer, wanted) in enumerate(
                (
                    (f"[fake {step} touch denied then text one done]", "n", "denied (by api)"),
                    (f"[fake {step} touch same then text two done]", "session", "approved (session)"),
                ),
                1,
            ):
                typed.type(prompt)
                typed.wait_for_count("Approve? [y/n/session]:", number)
                typed.type(answer)
                stage.wait_until_idle()
                typed.type_until(answer, wanted)
            typed.type(f"[fake {step} {command} then text three done]")
            typed.wait_for("  three done\n")
            assert typed.text.count("Approve? [y/n/session]:") == 2
            if stage.agent_name == "claude":
                typed.type("[fake question Which colour? | red | blue then text it was: {last}]")
                typed.wait_for("Choose: ")
                typed.type("2")
                stage.wait_until_idle()
                typed.type_until("2", "it was: ")
                assert "blue" in typed.text.partition("it was: ")[2]
            assert typed.leave() == 0
        finally:
            typed.close()
    assert not (stage.machine.project / "denied").exists() and (stage.machine.project / "same").exists()


def test_claude_runs_input_changed_by_an_approval(machine: LisaHost, api: FakeModelApi) -> None:
    stage = LiveSessionHarness(machine, api, "claude").begin()
    with serving(machine, "--interactive-api-sessions") as server, server.connect(stage.name) as reader:
        reader.read_until("session_status")
        reader.send("prompt", text="[fake tool touch old then text one done]")
        asked = reader.read_until("tool_approval_request")["payload"]
        changed = {**asked["tool_input"], "command": "touch new"}
        reader.send(
            "tool_approval_response", tool_use_id=asked["tool_use_id"], approved=True, approval_scope="session",
            approval_pattern="Bash(touch:*)", updated_input=changed,
        )  # fmt: skip
        reader.read_until("result")
        reader.send("prompt", text="[fake tool touch next then text two done]")
        reader.read_until("result")
    types = [frame["type"] for frame in reader.frames]
    assert (types.count("tool_approval_request"), types.count("result")) == (1, 2)
    assert {path.name for path in machine.project.iterdir()} >= {"new", "next"}
    assert not (machine.project / "old").exists()
