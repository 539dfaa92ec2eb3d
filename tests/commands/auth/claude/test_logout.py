"""lisa auth claude logout: the stored key alone is removed."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_stored_key_is_removed_and_other_sources_are_named(machine: LisaHost) -> None:
    machine.lisa("oauth", "add", "--stdin", stdin="sk-ant-oat01-planted")
    machine.lisa("auth", "claude", "set-key", "--key-from-stdin", stdin="sk-ant-api03-planted")
    first = machine.lisa("auth", "claude", "logout", "--json").json
    assert (first["removed"], first["remaining"]) == (True, ["pool"])
    assert "planted" not in (machine.folder / "state" / "credentials").read_text()
    second = machine.lisa("auth", "claude", "logout")
    assert second.code == 0 and "no key was stored" in second.out and "lisa oauth list" in second.out
