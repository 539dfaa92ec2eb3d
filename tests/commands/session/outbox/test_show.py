"""lisa session outbox show."""

from __future__ import annotations

from tests.commands.session.outbox.outbox_stage import OutboxStage
from tests.lisa_host import LisaHost


def test_a_text_is_shown_with_its_state(machine: LisaHost) -> None:
    stage = OutboxStage(machine)
    stage.spawn()
    assert stage.queue("[say one]", "idle", "--message-id", "mine") == "mine"
    stage.wait_for("mine", "answered")
    assert stage.queue("[say one]", "idle", "--message-id", "mine") == "mine"
    shown = stage.lisa("outbox show", "--id", "mine").json
    assert (shown["state"], shown["text"], shown["ended"]) == ("answered", "[say one]", "completed")
    assert stage.prompts() == ["[say one]"]
    taken = stage.lisa("send", "--text", "other", "--when", "now", "--message-id", "mine")
    assert (taken.code, taken.json["errorCode"]) == (1, "outbox_id_taken")
    missing = stage.lisa("outbox show", "--id", "none")
    assert (missing.code, missing.json["errorCode"]) == (1, "outbox_text_not_found")
