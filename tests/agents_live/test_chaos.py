"""kill -9 of the server and of tmux while a real claude or codex is busy or shows a dialog, over the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_py.store import dialogs
from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost, find_server_pid, kill_process
from tests.polling import wait_until
from tests.server_kit import SocketReader, serving
from tests.session_harness import make_chat

pytestmark = pytest.mark.agents


@pytest.fixture(params=pins(), ids=lambda pin: pin.agent)
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, request.param.agent)


def ask_for(stage: LiveSessionHarness, made: Path) -> str:
    """Return a prompt that makes the agent request a command."""
    step = "tool" if stage.agent_name == "claude" else "ask"
    return f"[fake {step} echo run >> {made} then text finished]"


def read_turn(reader: SocketReader, word: str) -> None:
    """Read until a text of the agent and the end of its turn."""
    while not any(word in str(frame) for frame in reader.frames if frame["type"] in ("history", "assistant")):
        reader.read()


def test_killed_server_loses_nothing_and_decides_once(stage: LiveSessionHarness) -> None:
    found = make_chat(stage.begin().ref)
    made = stage.machine.project / "made"
    prompt = {"text": "[fake slow 6 alpha beta gamma]", "prompt_id": "p1"}
    with serving(stage.machine) as first, first.connect(found) as before:
        before.send("prompt", **prompt)
        assert before.read_until("user")["payload"]["prompt_id"] == "p1"
        stage.wait_for_status(lambda status: status.session_state == "in_progress")
        first.kill()
        before.read_close()
    stage.wait_until_idle()
    with serving(stage.machine) as second, second.connect(found, query=f"?since={before.cursors[-1]}") as after:
        read_turn(after, "gamma")
        after.send("prompt", **prompt)  # as a client does that saw no answer
        after.send("prompt", text=ask_for(stage, made), prompt_id="p2")
        asked = after.read_until("tool_approval_request")["payload"]["tool_use_id"]
        second.kill()
    with serving(stage.machine) as third, third.connect(found) as reader, third.connect(found) as other:
        for each in (reader, other):
            assert each.read_until("tool_approval_request")["payload"]["tool_use_id"] == asked
        reader.send("tool_approval_response", tool_use_id=asked, approved=True)
        for each in (reader, other):
            each.read_until("system", subtype="approval_decided")
        other.send("tool_approval_response", tool_use_id=asked, approved=False)
        third.kill()
    wait_until(made.exists, timeout=30, what="the decision was applied")
    stage.wait_until_idle()
    with serving(stage.machine) as fourth, fourth.connect(found) as whole:
        read_turn(whole, "finished")
    assert made.read_text() == "run\n" and len(dialogs.list_decided_keys(stage.ref)) == 1
    assert len(set(whole.cursors)) == len(whole.cursors)
    seen = before.cursors + [each for each in after.cursors if each not in before.cursors]
    assert whole.cursors[: len(seen)] == seen
    assert [text for text in stage.model_prompts() if "alpha" in text] == [prompt["text"]]


@pytest.mark.parametrize("moment", ["turn", "dialog"])
def test_killed_tmux_ends_all_readers_once(stage: LiveSessionHarness, moment: str) -> None:
    found = make_chat(stage.begin().ref)
    made = stage.machine.project / "made"
    with serving(stage.machine) as server, server.connect(found) as owner, server.connect(found, family="org") as other:
        owner.send("prompt", text=ask_for(stage, made) if moment == "dialog" else "[fake slow 60 many words]")
        for reader in (owner, other):
            reader.read_until("tool_approval_request" if moment == "dialog" else "user")
        kill_process(find_server_pid(stage.ctx.server(stage.ref)))
        for reader in (owner, other):
            assert reader.read_close() == 1000
            assert [frame["type"] for frame in reader.frames].count("session_end") == 1
            assert reader.frames[-1]["type"] == "session_end"
        with server.connect(found) as again:
            assert again.read_close() == 1000
        assert again.cursors[: len(owner.cursors)] == owner.cursors == other.cursors
    assert not made.exists()
