"""session name."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_name_is_printed_and_json_has_its_parts(machine: LisaHost) -> None:
    assert machine.lisa("session", "name").out.startswith("lisa-proj-")
    answer = machine.lisa("session", "name", "--agent=CODEX", "--mode=execution", "--tag", "My Tag", "--json").json
    assert answer["session"].endswith("-codex-exec-mytag")
    assert (answer["agent"], answer["mode"], answer["tag"]) == ("codex", "exec", "My Tag")


def test_unknown_agents_and_modes_are_refused(machine: LisaHost) -> None:
    assert machine.lisa("session", "name", "--agent", "x", "--json").json["errorCode"] == "invalid_agent"
    assert machine.lisa("session", "name", "--mode", "x", "--json").json["errorCode"] == "invalid_mode"


def test_it_writes_no_files(machine: LisaHost) -> None:
    machine.lisa("session", "name")
    assert not (machine.folder / "state").exists()
