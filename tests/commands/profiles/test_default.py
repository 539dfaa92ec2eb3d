"""profiles default."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_exactly_one_profile_is_the_default(machine: LisaHost) -> None:
    assert machine.lisa("profiles", "default", "full-permissions").out == "default profile: Full Permissions\n"
    found = machine.lisa("profiles", "list", "--json").json["profiles"]
    assert [each["name"] for each in found if each["isDefault"]] == ["Full Permissions"]
    assert machine.lisa("profiles", "default", "none", "--json").json["errorCode"] == "profile_not_found"
