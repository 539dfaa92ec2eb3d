"""session replay."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lisa_host import LisaHost

POINT = {
    "version": "1",
    "session": "lisa-a-1",
    "sessionState": "waiting_input",
    "nextAction": "session send",
    "nextOffset": 273,
}


def _replay(machine: LisaHost, payload: object, *words: str) -> dict[str, Any]:
    given = payload if isinstance(payload, str) else json.dumps(payload)
    answer = machine.lisa("session", "replay", "--from-checkpoint", "-", *words, "--json", stdin=given)
    assert answer.code == 0, answer
    return answer.json


def test_checkpoint_gives_status_and_next_command(machine: LisaHost) -> None:
    path = machine.project / "c.json"
    path.write_text(json.dumps({**POINT, "projectRoot": str(machine.home)}))
    answer = machine.lisa("session", "replay", "--from-checkpoint", "c.json", "--json").json
    where = f"--session 'lisa-a-1' --project-root '{machine.home}'"
    assert [(step["id"], step["command"]) for step in answer.pop("steps")] == [
        ("status", f"lisa session status {where} --json-min"),
        ("next", f"lisa session send {where} --text 'Continue from checkpoint context.' --enter --json-min"),
    ]
    assert answer == {
        "ok": True,
        "session": "lisa-a-1",
        "projectRoot": str(machine.home),
        "checkpoint": str(path),
        "nextAction": "session send",
        "sessionState": "waiting_input",
        "deterministicId": "lisa-a-1|waiting_input|session send|273",
        "stderrPolicy": "diagnostic",
    }


@pytest.mark.parametrize(
    ("action", "tail"),
    [
        ("session monitor", "--expect terminal --json-min"),
        ("session explain", "--events 30 --json-min"),
        ("session capture", "--raw --delta-from 273 --json-min"),
        ("session tree", "--raw --delta-from 273 --json-min"),
        ({"name": "session explain", "command": "x"}, "--events 30 --json-min"),
        (
            "session spawn",
            "--prompt 'Resume from checkpoint replay and continue.' --model 'gpt-5.3-codex-spark' --json",
        ),
    ],
)
def test_each_next_action_has_its_command(machine: LisaHost, action: object, tail: str) -> None:
    assert _replay(machine, {**POINT, "nextAction": action})["steps"][1]["command"].endswith(tail)


def test_respawn_keeps_agent_mode_and_model(machine: LisaHost) -> None:
    words = ("--agent", "claude", "--mode", "exec", "--command", "sleep 60")
    machine.lisa("session", "spawn", "--session", "lisa-a-1", *words)
    command = _replay(machine, {**POINT, "nextAction": "session spawn"})["steps"][1]["command"]
    assert "--agent claude --mode exec " in command
    assert "--model" not in command


def test_accepts_the_output_of_checkpoint(machine: LisaHost) -> None:
    file = machine.project / "c.json"
    file.write_text(json.dumps(POINT))
    saved = _replay(machine, {"action": "save", "file": str(file), "session": "lisa-a-1", "nextAction": "x"})
    resumed = _replay(machine, {"action": "resume", "file": str(file), "session": "lisa-a-1", "checkpoint": POINT})
    assert saved == resumed
    assert (saved["checkpoint"], saved["deterministicId"].endswith("|273")) == (str(file), True)


def test_missing_next_action_is_derived_from_the_state(machine: LisaHost) -> None:
    assert _replay(machine, {"session": "lisa-a-1", "sessionState": "crashed"})["nextAction"] == "session explain"


def test_project_root_flag_precedes_the_checkpoint(machine: LisaHost) -> None:
    answer = _replay(machine, {**POINT, "projectRoot": "/elsewhere"}, "--project-root", str(machine.home))
    assert answer["projectRoot"] == str(machine.home)
    assert _replay(machine, POINT)["projectRoot"] == str(machine.project)


def test_text_is_the_commands(machine: LisaHost) -> None:
    answer = machine.lisa("session", "replay", "--from-checkpoint", "-", stdin=json.dumps(POINT))
    assert [line.split()[:3] for line in answer.out.splitlines()] == [
        ["lisa", "session", "status"],
        ["lisa", "session", "send"],
    ]


@pytest.mark.parametrize("given", ["", "{", "[]", "{}", '{"session":5}', '{"session":"a","nextAction":5}'])
def test_refuses_an_invalid_checkpoint(machine: LisaHost, given: str) -> None:
    answer = machine.lisa("session", "replay", "--from-checkpoint", "-", "--json", stdin=given)
    assert (answer.code, answer.json["errorCode"]) == (1, "checkpoint_read_failed")


def test_missing_file_and_missing_flag_have_codes(machine: LisaHost) -> None:
    missing = machine.lisa("session", "replay", "--from-checkpoint", "nowhere", "--json")
    assert (missing.code, missing.json["errorCode"]) == (1, "checkpoint_read_failed")
    assert machine.lisa("session", "replay", "--json").json["errorCode"] == "missing_required_flag"


def test_session_name_cannot_leave_its_folder(machine: LisaHost) -> None:
    answer = _replay(machine, {**POINT, "session": "../../x", "nextAction": "session spawn"})
    assert "--agent codex" in answer["steps"][1]["command"]
