"""ai chats get: the description of one chat."""

from __future__ import annotations

import json

from lisa_py.store import live_records
from lisa_py.store.live_records import SessionRecord
from tests.fleet import Fleet
from tests.lisa_host import LisaHost


def make_chat(record: SessionRecord) -> None:
    record.family = "user"


def test_a_chat_is_described_and_ended(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-a-1")
    assert machine.lisa("ai", "chats", "get", "--id", "lisa-a-1").code == 3
    ctx = machine.context()
    live_records.change_record(ctx.ref("lisa-a-1"), ctx.settings, make_chat)
    found = json.loads(machine.lisa("ai", "chats", "get", "--id", "lisa-a-1", "--full-prompt").out)["session"]
    assert (found["session_type"], found["owner_oid"], found["status"]) == ("user", None, "running")
