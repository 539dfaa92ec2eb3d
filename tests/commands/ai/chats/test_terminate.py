"""ai chats terminate: the user ends a chat; sessions of the project are not found."""

from __future__ import annotations

import json

from tests.fleet import Fleet
from tests.lisa_host import LisaHost
from tests.session_harness import make_chat


def test_terminate_ends_a_chat(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-a-1")
    assert machine.lisa("ai", "chats", "terminate", "--id", "lisa-a-1").code == 3
    make_chat(machine.context().ref("lisa-a-1"))
    assert json.loads(machine.lisa("ai", "chats", "terminate", "--id", "lisa-a-1").out) == {"terminated": True}
    found = json.loads(machine.lisa("ai", "chats", "get", "--id", "lisa-a-1").out)["session"]
    assert found["end_reason"] == "user_requested"
