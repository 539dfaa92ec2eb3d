"""ai chats history: the conversation of a chat; sessions of the project are not found."""

from __future__ import annotations

import json

from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness, make_chat


def test_a_family_has_its_own_history(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn("[say one]")
    stage.wait_for_text("● one")
    stage.wait_for_state("idle")
    commands = {family: ("ai", family, "history", "--id", stage.name) for family in ("session", "chats")}
    assert machine.lisa(*commands["session"]).code == 0 and machine.lisa(*commands["chats"]).code == 3
    make_chat(stage.ref)
    assert machine.lisa(*commands["session"]).code == 3
    found = json.loads(machine.lisa(*commands["chats"], "--raw").out)
    assert [frame["type"] for frame in found["messages"]] == ["user", "assistant", "result"]
