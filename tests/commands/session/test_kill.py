"""session kill: what it answers."""

from __future__ import annotations

import pytest

from lisa_py.store import session_records
from tests.fleet import Fleet
from tests.lisa_host import LisaHost


def test_running_session_is_killed(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    answer = machine.lisa("session", "kill", "--session", "lisa-x", "--json")
    assert answer.code == 0
    assert answer.json == {
        "archive": answer.json["archive"],
        "found": True,
        "ok": True,
        "processes": answer.json["processes"],
        "projectRoot": str(machine.project),
        "session": "lisa-x",
        "stderrPolicy": "diagnostic",
    }
    assert answer.json["processes"] >= 3
    assert machine.lisa("session", "exists", "--session", "lisa-x").out == "false\n"


def test_text_is_ok(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    answer = machine.lisa("session", "kill", "--session", "lisa-x")
    assert (answer.code, answer.out, answer.err) == (0, "ok\n", "")


def test_missing_session_has_a_code_and_leaves_no_files(machine: LisaHost) -> None:
    answer = machine.lisa("session", "kill", "--session", "lisa-x", "--json")
    assert answer.code == 1
    assert answer.json == {
        "error": "lisa-x: no session of this name exists",
        "errorCode": "session_not_found",
        "errors": None,
        "found": False,
        "ok": False,
        "projectRoot": str(machine.project),
        "session": "lisa-x",
        "stderrPolicy": "diagnostic",
    }
    text = machine.lisa("session", "kill", "--session", "lisa-x")
    assert (text.code, text.out) == (1, "")
    assert text.err.startswith("session not found: lisa-x")
    assert not (machine.folder / "state").exists()


def test_killed_children_are_named(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-top")
    meta = session_records.read_meta(fleet.ref("lisa-top"))
    assert meta is not None
    machine.env.update(LISA_SESSION_NAME="lisa-top", LISA_RUN_ID=meta.run_id)
    fleet.spawn("lisa-child")
    answer = machine.lisa("session", "kill", "--session", "lisa-top", "--json-min")
    assert answer.json == {"found": True, "ok": True, "session": "lisa-top", "stderrPolicy": "diagnostic"}
    assert fleet.names() == []


def test_a_session_is_killed_from_anywhere(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    assert machine.lisa("session", "kill", "--session", "lisa-x", cwd="/").code == 0
    assert fleet.names() == []


@pytest.mark.parametrize("asked", ["flag", "variable"])
def test_other_records_of_the_name_are_removed_on_request(machine: LisaHost, fleet: Fleet, asked: str) -> None:
    other = machine.folder / "other"
    other.mkdir()
    fleet.spawn("lisa-x")
    fleet.spawn("lisa-x", "exit 0", root=str(other))
    fleet.ctx.tmux(fleet.ctx.project(str(other))).kill_server()
    left = fleet.ctx.ref("lisa-x", str(other))
    words = ("--cleanup-all-hashes",) if asked == "flag" else ()
    machine.env["LISA_CLEANUP_ALL_HASHES"] = "true" if asked == "variable" else ""
    assert machine.lisa("session", "kill", "--session", "lisa-x", *words).code == 0
    assert session_records.read_meta(left) is None


@pytest.mark.parametrize("name", ["lisa-x*", "lisa-x:0", "=lisa-x", "", "lisa-"])
def test_names_match_exactly(machine: LisaHost, fleet: Fleet, name: str) -> None:
    fleet.spawn("lisa-x")
    answer = machine.lisa("session", "kill", "--session", name, "--json")
    assert answer.code == 1
    assert answer.json["errorCode"] in ("invalid_session_name", "missing_required_flag")
    assert fleet.names() == ["lisa-x"]


def test_missing_tmux_is_an_error_and_removes_nothing(machine: LisaHost, fleet: Fleet) -> None:
    fleet.spawn("lisa-x")
    before = fleet.files("lisa-x")
    answer = machine.lisa("session", "kill", "--session", "lisa-x", "--json", env={"PATH": str(machine.bin)})
    assert (answer.code, answer.json["errorCode"]) == (1, "tmux_missing")
    assert fleet.files("lisa-x") == before
