"""ai chats list: the chats of all projects, without sessions of the project."""

from __future__ import annotations

import json

from tests.fleet import Fleet
from tests.lisa_host import LisaHost
from tests.session_harness import make_chat


def test_families_do_not_overlap(machine: LisaHost, fleet: Fleet) -> None:
    for name in ("lisa-a-1", "lisa-b-1"):
        fleet.spawn(name)
    make_chat(machine.context().ref("lisa-b-1"))
    chats = json.loads(machine.lisa("ai", "chats", "list", cwd=machine.home).out)
    assert [(each["lisa_session"], each["session_type"]) for each in chats] == [("lisa-b-1", "user")]
    assert json.loads(machine.lisa("ai", "chats", "list", "--project-root", str(machine.home)).out) == []
    page = json.loads(machine.lisa("ai", "chats", "list", "--cursor", "").out)
    assert (page["sessions"], page["next_cursor"]) == (chats, "")
    org = json.loads(machine.lisa("ai", "session", "list").out)
    assert [each["lisa_session"] for each in org] == ["lisa-a-1"]
