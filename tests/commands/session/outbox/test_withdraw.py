"""lisa session outbox withdraw."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_py import Lisa, LisaError
from tests.commands.session.outbox.outbox_stage import OutboxStage
from tests.lisa_host import LisaHost


def test_a_waiting_text_is_withdrawn(machine: LisaHost, tmp_path: Path) -> None:
    stage, go = OutboxStage(machine), tmp_path / "go"
    stage.spawn(f"[wait {go}]")
    first, second = stage.queue("[say one]"), stage.queue("[say two]")
    for _ in range(2):
        withdrawn = stage.lisa("outbox withdraw", "--id", first)
        assert (withdrawn.code, withdrawn.json["state"]) == (0, "withdrawn"), withdrawn
    go.touch()
    stage.wait_for(second, "answered")
    assert stage.prompts()[1:] == ["[say two]"]
    session = Lisa(str(machine.project), environ=machine.env).session(stage.name)
    assert [each.state for each in session.outbox()] == ["withdrawn", "answered"]
    queued = session.queue("[say three]", message_id="three")
    stage.wait_for(queued.id, "answered")
    with pytest.raises(LisaError) as raised:
        session.withdraw("three")
    assert raised.value.code == "outbox_text_sent"
    late = stage.lisa("outbox withdraw", "--id", second)
    assert (late.code, late.json["errorCode"], late.json["state"]) == (1, "outbox_text_sent", "answered")
