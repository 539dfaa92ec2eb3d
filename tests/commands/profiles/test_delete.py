"""profiles delete."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_deletes_any_but_the_default(machine: LisaHost) -> None:
    assert machine.lisa("profiles", "delete", "--name", "Full Permissions").out == "profile deleted: Full Permissions\n"
    assert machine.lisa("profiles", "list", "--json").json["count"] == 1
    assert machine.lisa("profiles", "delete", "Default", "--json").json["errorCode"] == "default_profile"
    assert machine.lisa("profiles", "delete", "gone", "--json").json["errorCode"] == "profile_not_found"
