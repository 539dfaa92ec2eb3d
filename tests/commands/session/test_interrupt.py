"""session interrupt: confirmed by the status of the agent."""

from __future__ import annotations

from lisa_py.store import dialogs
from tests.commands.session.dialog_stage import DialogStage
from tests.lisa_host import LisaHost
from tests.polling import wait_until


def test_turn_is_interrupted_and_the_session_stays(machine: LisaHost) -> None:
    stage = DialogStage(machine)
    stage.spawn()
    idle = stage.lisa("interrupt")
    assert (idle.code, idle.json["interrupted"]) == (0, False)
    stage.send("[wait 600]")
    wait_until(lambda: stage.status().session_state == "in_progress")
    done = stage.lisa("interrupt")
    assert (done.code, done.json["interrupted"], done.json["agentState"]) == (0, True, "interrupted"), done
    (dialog,) = stage.ask("[ask echo yes]").list_open()
    assert stage.lisa("interrupt").json["interrupted"] is True
    wait_until(lambda: not dialogs.list_waiting(stage.ref))
    late = stage.lisa("approve", "--id", dialog["id"])
    assert (late.json["errorCode"], late.json["decidedBy"]) == ("dialog_already_answered", "interrupt")
