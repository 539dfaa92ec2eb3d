"""session schema."""

from __future__ import annotations

import jsonschema

from lisa_py import commands
from tests.lisa_host import LisaHost


def test_every_command_has_a_valid_schema(machine: LisaHost) -> None:
    answer = machine.lisa("session", "schema", "--json").json
    names = {" ".join(path) for path in commands.paths()}
    assert set(answer["commands"]) == set(answer["error"]) == names
    for kind in ("commands", "error", "min", "events"):
        for described in answer[kind].values():
            jsonschema.Draft202012Validator.check_schema(described)
            assert described["type"] == "object"


def test_one_command_is_found_with_and_without_its_group(machine: LisaHost) -> None:
    for name in ("exists", "session exists", "Session Exists"):
        answer = machine.lisa("session", "schema", "--command", name, "--json").json
        assert answer["command"] == "session exists"
        assert answer["schema"]["required"] == ["session", "exists", "projectRoot", "stderrPolicy"]
        assert set(answer["min"]["properties"]) == {
            "session", "exists", "errorCode", "stderrPolicy", "ok", "error",
        }  # fmt: skip
    assert "session_not_found" in answer["error"]["properties"]["errorCode"]["enum"]
    assert machine.lisa("session", "schema", "--command", "oauth add", "--json").json["command"] == "oauth add"


def test_json_min_lists_keys(machine: LisaHost) -> None:
    words = ("session", "schema", "--json-min")
    assert machine.lisa(*words, "--command", "exists").json == {
        "command": "session exists",
        "keys": ["session", "exists", "projectRoot", "errorCode?"],
        "min": ["session", "exists", "errorCode?"],
        "stderrPolicy": "diagnostic",
    }
    every = machine.lisa(*words)
    assert every.json["commands"]["session exists"] == ["session", "exists", "projectRoot", "errorCode?"]
    assert len(every.out) < len(machine.lisa("session", "schema", "--json").out) / 10


def test_unknown_names_are_refused_with_a_list(machine: LisaHost) -> None:
    answer = machine.lisa("session", "schema", "--command", "nope", "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, "unknown_schema_command")
    assert "session exists" in machine.lisa("session", "schema").out.splitlines()
    assert machine.lisa("session", "schema", "--command", "exists").out.startswith("session exists\n{\n")
