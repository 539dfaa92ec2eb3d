"""session deny: the reason reaches the agent."""

from __future__ import annotations

import os
import signal

import pytest

from lisa_py.store import dialogs
from tests.commands.session.dialog_stage import DialogStage
from tests.lisa_host import LisaHost
from tests.polling import wait_until


@pytest.fixture
def stage(machine: LisaHost) -> DialogStage:
    made = DialogStage(machine)
    made.spawn()
    return made


def test_denial_with_a_message_continues_the_turn(stage: DialogStage) -> None:
    stage.ask("[ask echo yes] [say went on]")
    answered = stage.lisa("deny", "--message", 'not "now"\nplease')
    assert (answered.code, answered.json["decision"], answered.json["way"]) == (0, "deny", "hook"), answered
    assert stage.wait_for_result() == ('not "now"\nplease', True)
    stage.wait_for_text("went on")


def test_reason_for_a_dialog_on_the_screen_is_the_next_prompt(stage: DialogStage) -> None:
    stage.ask("[ask echo yes] [say went on]")
    (waiting,) = dialogs.list_waiting(stage.ref)
    os.kill(int(waiting.key.rpartition("-")[2]), signal.SIGKILL)
    wait_until(lambda: not dialogs.list_waiting(stage.ref))
    answered = stage.lisa("deny", "--message", "[say understood]")
    assert (answered.code, answered.json["way"]) == (0, "screen"), answered
    assert answered.json["notices"] == ["the reason was sent as a prompt"]
    assert stage.results() == [("denied by the user", True)]
    stage.wait_for_text("understood")
