"""session exists."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_a_missing_session_is_false_with_exit_1(machine: LisaHost) -> None:
    answer = machine.lisa("session", "exists", "--session", "lisa-x")
    assert (answer.code, answer.out) == (1, "false\n")


def test_json_of_a_missing_session_has_its_code(machine: LisaHost) -> None:
    answer = machine.lisa("session", "exists", "--session", "lisa-x", "--json")
    assert answer.code == 1
    assert answer.json == {
        "error": "lisa-x: no session of this name exists",
        "errorCode": "session_not_found",
        "exists": False,
        "ok": False,
        "projectRoot": str(machine.project),
        "session": "lisa-x",
        "stderrPolicy": "diagnostic",
    }


def test_a_live_session_exists_and_its_prefix_does_not(machine: LisaHost) -> None:
    tmux = machine.context().tmux(machine.context().project())
    tmux.new_session("lisa-alpha-1", ["/bin/sleep", "60"], root=str(machine.project), width=80, height=24)
    assert machine.lisa("session", "exists", "--session", "lisa-alpha-1").out == "true\n"
    assert machine.lisa("session", "exists", "--session", "lisa-alpha").out == "false\n"


def test_missing_tmux_is_an_error(machine: LisaHost) -> None:
    answer = machine.lisa("session", "exists", "--session", "lisa-x", "--json", env={"PATH": str(machine.bin)})
    assert (answer.code, answer.json["errorCode"]) == (1, "tmux_missing")
