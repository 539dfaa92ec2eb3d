"""session state-sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lisa_host import LisaHost

NAME = "lisa-a-1"


def _sandbox(machine: LisaHost, *words: str, stdin: str | None = None) -> dict[str, Any]:
    answer = machine.lisa("session", "state-sandbox", *words, stdin=stdin)
    assert answer.code == 0, answer
    return answer.json


def _fill(machine: LisaHost) -> None:
    for words in (
        ("objective", "--id", "a", "--goal", "first"),
        ("objective", "--id", "b", "--goal", "second"),
        ("lane", "--name", "planner", "--goal", "analysis"),
        ("memory", "--session", NAME, "--refresh"),
    ):
        assert machine.lisa("session", *words).code == 0
    cached = machine.lisa("session", "context-cache", "--key", "k", "--from", "-", stdin="x")
    assert cached.code == 0


def _store(machine: LisaHost, name: str) -> Path:
    return next((machine.folder / "state").rglob(name))


def test_default_action_lists_as_json(machine: LisaHost) -> None:
    _fill(machine)
    full = _sandbox(machine)
    assert (full["action"], full["objectiveCount"], full["laneCount"], full["currentId"]) == ("list", 2, 1, "b")
    assert [item["id"] for item in full["objectives"]] == ["a", "b"]
    assert full["laneStorePath"].endswith("/lanes.json")
    assert _sandbox(machine, "list", "--json-min") == {
        "action": "list",
        "projectRoot": str(machine.project),
        "objectiveCount": 2,
        "laneCount": 1,
        "currentId": "b",
        "stderrPolicy": "diagnostic",
    }
    assert _sandbox(machine, "--include", "memory,context-cache", "--json-min")["memoryCount"] == 1


def test_action_may_be_anywhere(machine: LisaHost) -> None:
    assert _sandbox(machine, "--json-min", "snapshot")["action"] == "snapshot"
    assert _sandbox(machine, "--action", "Snapshot", "--json")["action"] == "snapshot"


def test_restore_returns_the_snapshot(machine: LisaHost) -> None:
    _fill(machine)
    before = {name: _store(machine, name).read_bytes() for name in ("objectives.json", "lanes.json")}
    saved = _sandbox(machine, "snapshot", "--file", "deep/er/state.json")
    path = machine.project / "deep/er/state.json"
    assert saved["file"] == str(path)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert json.loads(path.read_text()) == saved["snapshot"]
    assert sorted(saved["snapshot"]) == ["laneStore", "objectiveStore", "projectRoot", "version"]
    cleared = _sandbox(machine, "clear")
    assert (cleared["clearedObjectives"], cleared["clearedLanes"]) == (True, True)
    assert _sandbox(machine)["objectiveCount"] == 0
    restored = _sandbox(machine, "restore", "--file", "deep/er/state.json", "--json-min")
    assert restored == {
        "action": "restore",
        "projectRoot": str(machine.project),
        "sourceFile": str(path),
        "version": "1",
        "objectiveCount": 2,
        "laneCount": 1,
        "stderrPolicy": "diagnostic",
    }
    assert {name: _store(machine, name).read_bytes() for name in before} == before


def test_include_adds_memories_and_context_cache(machine: LisaHost) -> None:
    _fill(machine)
    extras = ("--include", "memory,context-cache")
    snapshot = machine.lisa("session", "state-sandbox", "snapshot", *extras).json["snapshot"]
    assert (list(snapshot["memories"]), list(snapshot["contextCache"]["items"])) == ([NAME], ["k"])
    cleared = _sandbox(machine, "clear", *extras)
    assert (cleared["clearedMemories"], cleared["clearedContextCache"]) == (1, True)
    assert machine.lisa("session", "memory", "--session", NAME).code == 1
    restored = _sandbox(machine, "restore", "--file", "-", stdin=json.dumps(snapshot))
    assert (restored["memoryCount"], restored["contextCacheCount"], restored["sourceFile"]) == (1, 1, "-")
    assert machine.lisa("session", "memory", "--session", NAME).code == 0
    assert machine.lisa("session", "context-cache", "--key", "k").code == 0


def test_restore_uses_the_project_of_the_snapshot(machine: LisaHost) -> None:
    _fill(machine)
    _sandbox(machine, "snapshot", "--file", "s.json")
    elsewhere = machine.lisa("session", "state-sandbox", "restore", "--file", str(machine.project / "s.json"), cwd="/")
    assert elsewhere.json["projectRoot"] == str(machine.project)
    there = _sandbox(machine, "restore", "--file", "s.json", "--project-root", str(machine.home))
    assert there["projectRoot"] == str(machine.home)
    assert _sandbox(machine, "--project-root", str(machine.home))["objectiveCount"] == 2


def test_restore_is_atomic(machine: LisaHost) -> None:
    _fill(machine)
    snapshot = _sandbox(machine, "snapshot")["snapshot"]
    snapshot["objectiveStore"]["objectives"].pop("a")
    objectives, lanes = _store(machine, "objectives.json"), _store(machine, "lanes.json")
    before = objectives.read_bytes()
    lanes.unlink()
    lanes.mkdir()  # nothing can be put in its place
    (lanes / "x").touch()
    answer = machine.lisa("session", "state-sandbox", "restore", "--file", "-", stdin=json.dumps(snapshot))
    assert (answer.code, answer.json["errorCode"]) == (1, "lane_store_write_failed")
    assert objectives.read_bytes() == before


def test_restore_and_clear_handle_corrupt_stores(machine: LisaHost) -> None:
    _fill(machine)
    _sandbox(machine, "snapshot", "--file", "s.json")
    for name in ("objectives.json", "lanes.json"):
        _store(machine, name).write_text("{")
    broken = machine.lisa("session", "state-sandbox", "list")
    assert (broken.code, broken.json["errorCode"]) == (1, "objective_store_read_failed")
    assert _sandbox(machine, "restore", "--file", "s.json")["laneCount"] == 1
    assert _sandbox(machine)["laneCount"] == 1
    _store(machine, "lanes.json").write_text("{")
    assert machine.lisa("session", "state-sandbox").json["errorCode"] == "lane_store_read_failed"
    assert _sandbox(machine, "clear")["clearedLanes"] is True
    assert _sandbox(machine)["laneCount"] == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "snapshot_parse_failed"),
        ("{", "snapshot_parse_failed"),
        ("[]", "snapshot_parse_failed"),
        ("{}", "snapshot_version_missing"),
        ('{"version":" "}', "snapshot_version_missing"),
        ('{"version":"2"}', "snapshot_version_unsupported"),
        ('{"version":"1","laneStore":5}', "snapshot_parse_failed"),
        ('{"version":"1","laneStore":{"lanes":{"a":{"name":5}}}}', "snapshot_parse_failed"),
        ('{"version":"1","memories":{"../../x":{}}}', "snapshot_parse_failed"),
    ],
)
def test_refuses_an_invalid_snapshot_without_change(machine: LisaHost, content: str, code: str) -> None:
    answer = machine.lisa("session", "state-sandbox", "restore", "--file", "-", stdin=content)
    assert (answer.code, answer.json["errorCode"]) == (1, code)
    assert not (machine.folder / "state").exists()


def test_absent_and_null_parts_are_empty(machine: LisaHost) -> None:
    _fill(machine)
    restored = _sandbox(machine, "restore", "--file", "-", stdin='{"version":"1","laneStore":{"lanes":null}}')
    assert (restored["objectiveCount"], restored["laneCount"]) == (0, 0)
    assert _sandbox(machine)["objectiveCount"] == 0


def test_existing_folder_keeps_its_mode(machine: LisaHost) -> None:
    machine.project.chmod(0o755)
    _sandbox(machine, "snapshot", "--file", "s.json")
    assert machine.project.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("destroy",), "invalid_action"),
        (("restore",), "missing_required_flag"),
        (("restore", "--file", "nowhere"), "snapshot_read_failed"),
        (("snapshot", "--file", "."), "invalid_file_path"),
        (("snapshot", "--file", "-"), "invalid_file_path"),
        (("snapshot", "--file", "/proc/nowhere/s.json"), "snapshot_write_failed"),
        (("list", "--include", "everything"), "invalid_include"),
    ],
)
def test_refused_arguments(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "state-sandbox", *words)
    assert (answer.code, answer.json["errorCode"]) == (1, code)
