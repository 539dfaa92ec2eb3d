"""ai chats get: the description of one chat."""

from __future__ import annotations

import json

from tests.fleet import Fleet
from tests.lisa_host import LisaHost
from tests.session_harness import make_chat


def test_a_chat_is_described_and_ended(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-a-1")
    assert machine.lisa("ai", "chats", "get", "--id", "lisa-a-1").code == 3
    make_chat(machine.context().ref("lisa-a-1"))
    found = json.loads(machine.lisa("ai", "chats", "get", "--id", "lisa-a-1", "--full-prompt").out)["session"]
    assert (found["session_type"], found["owner_oid"], found["status"]) == ("user", None, "running")
