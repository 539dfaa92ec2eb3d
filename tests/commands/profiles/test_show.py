"""profiles show."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_shows_a_profile_by_name_or_id(machine: LisaHost) -> None:
    shown = machine.lisa("profiles", "show", "full-permissions").out
    assert shown.startswith("Full Permissions (full-permissions)\npermission_mode: bypassPermissions\n")
    answer = machine.lisa("profiles", "show", "--name", "none", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "profile_not_found")
