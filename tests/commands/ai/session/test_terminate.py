"""ai session terminate: the session ends, its record and conversation stay."""

from __future__ import annotations

import json

from tests.fleet import Fleet
from tests.lisa_host import LisaHost


def test_the_record_names_the_reason(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-a-1")
    for _ in range(2):
        assert json.loads(machine.lisa("ai", "session", "terminate", "--id", "lisa-a-1").out) == {"terminated": True}
    found = json.loads(machine.lisa("ai", "session", "get", "--id", "lisa-a-1").out)["session"]
    assert (found["status"], found["end_reason"]) == ("ended", "org_api_requested")
    assert machine.lisa("ai", "session", "terminate", "--id", "lisa-absent").code == 3
