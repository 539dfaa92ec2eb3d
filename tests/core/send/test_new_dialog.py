"""A dialog that opens between the paste of a text and its Enter."""

from __future__ import annotations

import pytest

from lisa_py.agents.base import InputPlan
from lisa_py.contract.errors import LisaError
from lisa_py.core.send import delivery
from lisa_py.core.send.target import SendTarget
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


def test_enter_is_not_pressed_into_a_new_dialog(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    stage.send(f"[ask touch {machine.project}/made]")
    stage.wait_for_text("and do not ask again")
    target = SendTarget(stage.ctx, stage.ref)
    target.refresh()
    with pytest.raises(LisaError, match="shows a dialog") as problem:
        delivery._press_submit(stage.ctx, target, "more", InputPlan())
    assert problem.value.code == "agent_waiting_dialog"
    assert stage.lisa("send", "--answer", "no").code == 0
    assert not (machine.project / "made").exists()
