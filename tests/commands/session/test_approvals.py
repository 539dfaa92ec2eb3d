"""session approvals: the rules of the user, and every decision in one log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.commands.session.dialog_stage import DialogStage
from tests.lisa_host import LisaHost
from tests.polling import wait_until

RULES = """
[[deny]]
command = "echo denied"

[[allow]]
command = "echo allowed"
"""


def state_folder(machine: LisaHost) -> Path:
    return machine.folder / "state"


def write_rules(machine: LisaHost, text: str) -> None:
    path = state_folder(machine) / "approvals.toml"
    path.write_text(text)
    path.chmod(0o600)


def read_log(machine: LisaHost, *flags: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = machine.lisa("session", "approvals", "--log", *flags, "--json").json["decisions"]
    return found


def test_rules_are_listed_and_checked(machine: LisaHost) -> None:
    state_folder(machine).mkdir(exist_ok=True)
    shown = machine.lisa("session", "approvals")
    assert (shown.code, shown.out.strip()) == (0, f"no rules ({state_folder(machine)}/approvals.toml)")
    write_rules(machine, RULES)
    found = machine.lisa("session", "approvals", "--json").json
    assert (found["ok"], found["count"]) == (True, 2)
    assert found["rules"][0] | {"line": 2, "commands": ["echo denied"], "decision": "deny"} == found["rules"][0]
    write_rules(machine, RULES + "\n[[allow]]\npaths = 'x'\n")
    shown = machine.lisa("session", "approvals", "--json-min")
    broken = shown.json
    assert (shown.code, broken["ok"], broken["count"]) == (1, False, 0)
    assert (broken["errorCode"], broken["error"]) == ("invalid_approvals_file", broken["problem"])
    assert "approvals.toml: line 9: paths: unknown key" in broken["problem"]
    spawned = DialogStage(machine).lisa("spawn", "--agent", "scripted", "--mode", "interactive")
    (warning,) = spawned.json["warnings"]
    assert "line 9: paths: unknown key" in warning and "every call is asked about" in warning


def test_log_has_decisions_of_rules_and_persons(machine: LisaHost) -> None:
    stage = DialogStage(machine)
    stage.spawn()
    write_rules(machine, RULES)
    stage.ask("[ask echo denied] [ask echo allowed] [ask echo one] [ask echo two] [ask echo three] [say done]")
    assert stage.results() == [
        ("approvals.toml line 2 denies shell; this call runs: echo denied", True),
        ("allowed", False),
    ]
    stage.lisa("approve")
    stage.wait_for_dialog()
    stage.lisa("deny")
    stage.wait_for_dialog()
    stage.ctx.server(stage.ref).send_keys(stage.wait_for_pane(), ("1",))
    wait_until(lambda: len(read_log(machine)) == 5, what="the decision in the pane")
    shown = [(each["input"], each["decision"], each["by"], each.get("rule", "")) for each in read_log(machine)]
    assert shown == [
        ("echo denied", "deny", "rule", "approvals.toml line 2"),
        ("echo allowed", "allow", "rule", "approvals.toml line 5"),
        ("echo one", "allow", "cli", ""),
        ("echo two", "deny", "cli", ""),
        ("echo three", "allow", "pane", ""),
    ]
    assert len(read_log(machine, "--limit", "2", "--hours", "1", "--session", stage.name)) == 2
    assert read_log(machine, "--session", "other") == []
    assert "by rule (approvals.toml line 2)  shell  echo denied" in machine.lisa("session", "approvals", "--log").out
    stage.wait_for_state("idle")
    stage.ask("[ask echo five]")
    assert stage.lisa("interrupt").json["interrupted"] is True
    closed = read_log(machine)[5:]
    assert [(each["input"], each["decision"], each["by"]) for each in closed] == [("echo five", "deny", "interrupt")]
    (state_folder(machine) / "approvals").rename(machine.folder / "earlier")
    (state_folder(machine) / "approvals").write_text("in the way of the folder")
    stage.ask("[ask echo four]")
    decided = stage.lisa("approve")
    assert (decided.code, decided.json["delivered"]) == (0, True)
    assert "the decision is not in the log of approvals" in decided.json["notices"][0]
