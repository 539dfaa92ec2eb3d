"""ai session list: the sessions of the project as one list or page by page."""

from __future__ import annotations

import json

from lisa_py.store import live_records
from tests.fleet import Fleet
from tests.lisa_host import LisaHost


def test_pages_join_to_the_list(machine: LisaHost, fleet: Fleet) -> None:
    for name in ("lisa-a-1", "lisa-b-1"):
        fleet.spawn(name)
    listed = json.loads(machine.lisa("ai", "session", "list").out)
    assert sorted(each["lisa_session"] for each in listed) == ["lisa-a-1", "lisa-b-1"]
    page = json.loads(machine.lisa("ai", "session", "list", "--cursor", "", "--limit", "1").out)
    rest = json.loads(machine.lisa("ai", "session", "list", "--cursor", page["next_cursor"]).out)
    assert [each["id"] for each in page["sessions"] + rest["sessions"]] == [each["id"] for each in listed]
    assert (len(page["sessions"]), rest["next_cursor"]) == (1, "")
    assert "next_cursor" not in machine.lisa("ai", "session", "list", "--json").json
    assert json.loads(machine.lisa("ai", "session", "list", "--status", "ended").out) == []


def test_status_and_limit_filter(machine: LisaHost, fleet: Fleet) -> None:
    for name in ("lisa-a-1", "lisa-b-1", "lisa-c-1"):
        fleet.spawn(name)
    assert machine.lisa("session", "kill", "--session", "lisa-b-1", "--json").code == 0

    def listed(*words: str) -> list[str]:
        answer = machine.lisa("ai", "session", "list", *words, "--output", "json")
        return [each["lisa_session"] for each in json.loads(answer.out)]

    assert listed("--status", "ended") == ["lisa-b-1"]
    alive = [*listed("--status", "running"), *listed("--status", "starting")]
    assert sorted(alive) == ["lisa-a-1", "lisa-c-1"]
    assert [listed("--limit", str(count)) for count in (0, 1, 2)] == [listed()[:1], listed()[:1], listed()[:2]]


def test_oid_selects_a_project(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-a-1")
    identity = live_records.project_id(machine.context().project())
    words = ("ai", "session", "list", "--filter", "[].lisa_session", "--output", "jsonl")
    assert machine.lisa(*words, cwd=machine.home).out == "\n"
    for oid in (identity, identity.upper(), "00000000-0000-0000-0000-000000000000"):
        assert machine.lisa("--oid", oid, *words, cwd=machine.home).out == '"lisa-a-1"\n'


def test_wrong_values_are_refused(machine: LisaHost) -> None:
    refused = machine.lisa("ai", "session", "list", "--status", "gone", "--json")
    assert (refused.json["errorCode"], refused.code) == ("invalid_session_status", 4)
    assert machine.lisa("ai", "session", "list", "--cursor", "!", "--json").json["errorCode"] == "invalid_cursor"
