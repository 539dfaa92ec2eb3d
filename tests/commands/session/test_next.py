"""session next."""

from __future__ import annotations

from tests.lisa_host import LisaHost


def test_missing_session_gets_a_spawn_command_and_exit_1(machine: LisaHost) -> None:
    answer = machine.lisa("session", "next", "--session", "lisa-x", "--json")
    assert answer.code == 1
    assert answer.json["errorCode"] == "session_not_found"
    assert answer.json["nextAction"] == "session spawn"


def test_send_is_suggested_only_for_idle_agents(machine: LisaHost) -> None:
    machine.lisa("session", "spawn", "--agent", "scripted", "--session", "lisa-a")
    machine.lisa("session", "monitor", "--session", "lisa-a")
    command = machine.lisa("session", "next", "--session", "lisa-a").out
    assert command.startswith("lisa session send --session 'lisa-a'")
    machine.lisa("session", "send", "--session", "lisa-a", "--text", "[ask rm -r build]", "--enter")
    machine.lisa("session", "monitor", "--session", "lisa-a")
    answer = machine.lisa("session", "next", "--session", "lisa-a", "--json").json
    if answer["waitingFor"] == "permission":
        assert answer["nextAction"] == "session dialogs"


def test_a_budget_is_a_positive_number(machine: LisaHost) -> None:
    answer = machine.lisa("session", "next", "--session", "lisa-x", "--budget", "0", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "invalid_budget")
