"""Dialogs of the real claude and codex: decided by the waiting hook, or on the screen."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

import pytest

from lisa_py.store import dialogs
from tests.agents_kit import pins
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents


@pytest.fixture(params=pins(older=True), ids=lambda pin: f"{pin.agent}-{pin.version}")
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, request.param.agent, version=request.param.version)


@pytest.fixture(params=[pin for pin in pins(older=True) if pin.agent == "claude"], ids=lambda pin: f"{pin.version}")
def claude(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, "claude", version=request.param.version)


def ask(stage: LiveSessionHarness, command: str, *more: str, step: str = "") -> dict[str, Any]:
    """Let the agent ask for a command; return its open dialog."""
    step = step or ("tool" if stage.agent_name == "claude" else "ask")
    stage.send(f"[fake {' then '.join([f'{step} {command}', *more])}]")
    return wait_for_dialogs(stage)[0]


def wait_for_dialogs(stage: LiveSessionHarness) -> list[dict[str, Any]]:
    """Return the open dialogs once they are whole: claude draws one just before its hook reports it."""

    def find() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = stage.lisa("dialogs").json["dialogs"]
        is_whole = all(each["way"] == "hook" or stage.agent_name != "claude" for each in found)
        return found if is_whole else []

    return wait_until(find, timeout=60, what=stage.screen())


def made(stage: LiveSessionHarness, name: str) -> bool:
    return (stage.machine.project / name).exists()


def test_calls_are_approved_denied_and_interrupted(stage: LiveSessionHarness) -> None:
    dialog = ask(stage.begin(), "touch approved", "text one done")
    assert dialog["way"] == ("hook" if stage.agent_name == "claude" else "screen")
    assert "touch approved" in str(dialog["toolInput"])
    answered = stage.lisa("approve", "--id", dialog["id"])
    assert (answered.code, answered.json["delivered"]) == (0, True), answered
    wait_until(lambda: made(stage, "approved"))
    stage.wait_for_text("one done")
    late = stage.lisa("deny", "--id", dialog["id"])
    assert (late.json["errorCode"], late.json["decidedBy"]) == ("dialog_already_answered", "cli")
    stage.wait_until_idle()
    ask(stage, "touch denied", "text two done")
    answered = stage.lisa("deny", "--message", "[fake text better: {last}]")
    assert answered.code == 0, answered
    stage.wait_for_text("better:" if stage.agent_name == "codex" else "two done")
    assert not made(stage, "denied")
    stage.wait_until_idle()
    ask(stage, "touch never", "text three done")
    stopped = stage.lisa("interrupt")
    assert (stopped.code, stopped.json["interrupted"]) == (0, True), stopped
    assert not made(stage, "never")
    wait_until(lambda: not dialogs.list_waiting(stage.ref), what="the hook has ended")


def test_approval_for_the_session_covers_similar_calls(stage: LiveSessionHarness) -> None:
    command = "touch same" if stage.agent_name == "codex" else "touch first"
    ask(stage.begin(), command, "text one done")
    answered = stage.lisa("approve", "--scope", "session")
    assert answered.code == 0, answered
    stage.wait_for_text("one done")
    stage.wait_until_idle()
    step = "tool touch second" if stage.agent_name == "claude" else "ask touch same"
    stage.send(f"[fake {step} then text two done]")
    wait_until(lambda: made(stage, "second" if stage.agent_name == "claude" else "same"))
    stage.wait_until_idle()
    assert len(dialogs.list_decided_keys(stage.ref)) == 1


def test_key_in_the_pane_wins_over_the_hook(claude: LiveSessionHarness) -> None:
    dialog = ask(claude.begin(), "touch by-key", "text done")
    claude.wait_for_text("1. Yes")
    for _ in range(5):  # claude ignores keys for a moment after it has drawn the dialog
        assert claude.lisa("send", "--keys", "1").code == 0
        with contextlib.suppress(AssertionError):
            wait_until(lambda: made(claude, "by-key"), timeout=2)
            break
    assert made(claude, "by-key")
    claude.wait_for_text("done")
    wait_until(lambda: not dialogs.list_waiting(claude.ref), what="the hook has ended")
    late = claude.lisa("deny", "--id", dialog["id"])
    assert (late.json["errorCode"], late.json["decidedBy"]) == ("dialog_already_answered", "pane")


def test_dialog_of_a_killed_hook_is_answered_on_the_screen(claude: LiveSessionHarness) -> None:
    dialog = ask(claude.begin(), "touch shown", "text done")
    (waiting,) = dialogs.list_waiting(claude.ref)
    os.kill(int(waiting.key.rpartition("-")[2]), signal.SIGKILL)
    wait_until(lambda: not dialogs.list_waiting(claude.ref))
    answered = claude.lisa("approve", "--id", dialog["id"])
    assert (answered.code, answered.json["way"]) == (0, "screen"), answered
    wait_until(lambda: made(claude, "shown"))


def test_parallel_calls_are_decided_one_by_one(claude: LiveSessionHarness) -> None:
    first = ask(claude.begin(), "touch one | touch two", "text done", step="tools")
    assert claude.lisa("deny", "--id", first["id"]).code == 0

    def list_others() -> list[dict[str, Any]]:
        return [each for each in claude.lisa("dialogs").json["dialogs"] if each["id"] != first["id"]]

    (second,) = wait_until(list_others, timeout=30, what="the dialog of the other call")
    assert claude.lisa("approve", "--id", second["id"]).code == 0
    denied, approved = (str(each["toolInput"]["command"]).removeprefix("touch ") for each in (first, second))
    wait_until(lambda: made(claude, approved), what="the file of the approved call")
    claude.wait_until_idle()
    assert {denied, approved} == {"one", "two"} and not made(claude, denied)


def test_bare_claude_is_answered_on_the_screen(claude: LiveSessionHarness) -> None:
    claude.machine.env["ANTHROPIC_API_KEY"] = "sk-ant-fake-00000000000000"
    claude.machine.env.pop("ANTHROPIC_AUTH_TOKEN")
    claude.begin("[fake tool touch bare then text done]", "--agent-args", "--bare")
    wait_until(lambda: claude.status().waiting_for == "api_key", what=claude.screen())
    assert claude.lisa("answer", "--choice", "Yes").code == 0
    (dialog,) = wait_until(
        lambda: [each for each in claude.lisa("dialogs").json["dialogs"] if each["kind"] == "permission"], timeout=30
    )
    assert dialog["way"] == "screen"
    answered = claude.lisa("approve")
    assert (answered.code, answered.json["way"]) == (0, "screen"), answered
    wait_until(lambda: made(claude, "bare"))


def test_questions_are_answered_with_choices_and_text(claude: LiveSessionHarness) -> None:
    claude.begin().send("[fake questions Which fruits? | Apple | Pear | Fig then text it was: {last}]")
    (dialog,) = wait_for_dialogs(claude)
    assert (dialog["kind"], dialog["questions"][0]["multiSelect"]) == ("question", True)
    assert claude.lisa("answer", "--choice", "fig,1").json["answers"]
    claude.wait_for_text("Fig, Apple")
    claude.wait_until_idle()
    claude.send("[fake question Which colour? | red | blue then text it was: {last}]")
    wait_until(lambda: dialogs.list_waiting(claude.ref))
    (waiting,) = dialogs.list_waiting(claude.ref)
    os.kill(int(waiting.key.rpartition("-")[2]), signal.SIGKILL)
    wait_until(lambda: not dialogs.list_waiting(claude.ref))
    answered = claude.lisa("answer", "--choice", "a dark green")
    assert (answered.code, answered.json["way"]) == (0, "screen"), answered
    claude.wait_for_text("a dark green")


def test_question_of_codex_is_answered_on_the_screen(machine: LisaHost, api: FakeModelApi) -> None:
    stage = LiveSessionHarness(machine, api, "codex", todos=True)
    stage.begin().send("[fake question Which colour? | red | blue then text it was: {last}]")
    (dialog,) = wait_until(lambda: stage.lisa("dialogs").json["dialogs"], timeout=60)
    assert (dialog["kind"], dialog["way"]) == ("question", "screen")
    assert stage.lisa("answer", "--choice", "green").json["errorCode"] == "not_supported"
    answered = stage.lisa("answer", "--choice", "BLUE")
    assert answered.code == 0, answered
    assert "blue" in stage.wait_for_text("it was")
