"""capabilities."""

from __future__ import annotations

from lisa_py import commands
from tests.lisa_host import LisaHost


def test_every_command_is_listed(machine: LisaHost) -> None:
    answer = machine.lisa("capabilities", "--json").json
    assert {" ".join(path) for path in commands.paths()} == {command["name"] for command in answer["commands"]}


def test_flags_are_described(machine: LisaHost) -> None:
    answer = machine.lisa("capabilities", "--json").json
    name = next(command for command in answer["commands"] if command["name"] == "session name")
    assert name["description"] and "invalid_agent" in name["errors"]
    mode = next(parameter for parameter in name["parameters"] if parameter["flag"] == "--mode")
    assert mode["choices"] == ["interactive", "exec"]
    assert (mode["type"], mode["default"], mode["required"]) == ("string", "interactive", False)


def test_text_has_a_line_per_command(machine: LisaHost) -> None:
    lines = machine.lisa("capabilities").out.splitlines()
    assert lines[0].startswith("lisa ") and lines[1] == ""
    assert "- session exists flags: --session, --project-root, --json, --json-min" in lines


def test_json_min_names_each_command(machine: LisaHost) -> None:
    small, full = (machine.lisa("capabilities", form) for form in ("--json-min", "--json"))
    assert small.json["commands"] == {each["name"]: each["description"] for each in full.json["commands"]}
    assert len(small.out) < len(full.out) / 10
