"""lisa session outbox withdraw."""

from __future__ import annotations

from pathlib import Path

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
    late = stage.lisa("outbox withdraw", "--id", second)
    assert (late.code, late.json["errorCode"], late.json["state"]) == (1, "outbox_text_sent", "answered")
