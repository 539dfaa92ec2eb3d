"""profiles list."""

from __future__ import annotations

from pathlib import Path

from tests.lisa_host import LisaHost


def test_lists_the_supplied_profiles(machine: LisaHost) -> None:
    assert machine.lisa("profiles", "list").out == "Default,default,default,\nFull Permissions,full-permissions,,\n"
    found = machine.lisa("profiles", "list", "--json").json["profiles"]
    assert found[0]["isDefault"] is True and found[0]["settings"]["allowed_tools"][:2] == ["Read", "Bash(cat:*)"]
    assert found[1]["settings"]["permission_mode"] == "bypassPermissions"
    assert not Path(machine.env["LISA_STATE_DIR"]).exists()
