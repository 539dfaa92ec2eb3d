"""session lane."""

from __future__ import annotations

import json
from typing import Any

from tests.lisa_host import LisaHost


def _lane(machine: LisaHost, *words: str) -> dict[str, Any]:
    answer = machine.lisa("session", "lane", *words, "--json")
    assert answer.code == 0, answer
    return answer.json


def _store(machine: LisaHost) -> Any:
    return next((machine.folder / "state").rglob("lanes.json"))


def test_an_upsert_changes_only_the_fields_that_are_given(machine: LisaHost) -> None:
    first = _lane(machine, "--name", "Planner", "--goal", "analysis", "--agent", "codex", "--budget", "480")
    assert first["action"] == "upserted"
    lane = _lane(machine, "--name", "planner", "--contract", "handoff_v2_required", "--goal", " ")["lane"]
    stamp = lane.pop("updatedAt")
    assert stamp.endswith("Z")
    assert lane == {
        "name": "planner",
        "goal": "analysis",
        "agent": "codex",
        "budget": 480,
        "contract": "handoff_v2_required",
    }


def test_field_can_be_cleared(machine: LisaHost) -> None:
    _lane(machine, "--name", "a", "--goal", "exec", "--budget", "10", "--nested-policy", "off")
    lane = _lane(machine, "--name", "a", "--unset", "budget,nested-policy", "--mode", "exec")["lane"]
    assert {key: lane.get(key) for key in ("goal", "budget", "nestedPolicy", "mode")} == {
        "goal": "exec",
        "budget": None,
        "nestedPolicy": None,
        "mode": "exec",
    }
    refused = machine.lisa("session", "lane", "--name", "a", "--unset", "name", "--json")
    assert (refused.code, refused.json["errorCode"]) == (1, "invalid_unset")


def test_unexpected_values_are_kept_with_warnings(machine: LisaHost) -> None:
    words = ("--mode", "sideways", "--goal", "analysis", "--agent", "nobody", "--topology", "workers,boss")
    answer = _lane(machine, "--name", "a", *words)
    assert answer["lane"]["mode"] == "sideways"
    assert [warning.partition(":")[0] for warning in answer["warnings"]] == ["mode", "agent", "topology"]
    fine = ("--mode", "Execution", "--nesting-intent", "bypass", "--agent", "Codex", "--topology", "workers, planner")
    assert "warnings" not in _lane(machine, "--name", "b", *fine)


def test_clear_overrides_values_and_ignores_missing_lanes(machine: LisaHost) -> None:
    _lane(machine, "--name", "a", "--goal", "exec")
    answer = _lane(machine, "--name", "a", "--goal", "analysis", "--clear")
    assert (answer["action"], answer["count"], "lane" in answer) == ("cleared", 0, False)
    assert _lane(machine, "--name", "a", "--clear")["action"] == "cleared"


def test_changes_need_a_name(machine: LisaHost) -> None:
    for words in (("--clear",), ("--goal", "exec"), ("--unset", "goal")):
        answer = machine.lisa("session", "lane", *words, "--json")
        assert (answer.code, answer.json["errorCode"]) == (1, "missing_required_flag")


def test_a_missing_lane_is_exit_1_in_text_and_json(machine: LisaHost) -> None:
    answer = machine.lisa("session", "lane", "--name", "nope", "--json")
    assert (answer.code, answer.json["errorCode"], answer.json["lanes"]) == (1, "lane_not_found", [])
    assert machine.lisa("session", "lane", "--name", "nope").code == 1
    assert machine.lisa("session", "lane", "--name", "nope", "--list").code == 0


def test_text_shows_one_lane_all_lanes_or_none(machine: LisaHost) -> None:
    assert machine.lisa("session", "lane").out == "no lanes\n"
    _lane(machine, "--name", "b", "--goal", "exec", "--agent", "claude", "--mode", "exec")
    _lane(machine, "--name", "a", "--goal", "analysis")
    assert machine.lisa("session", "lane", "--name", "b").out == "lane=b goal=exec agent=claude mode=exec\n"
    assert machine.lisa("session", "lane", "--list").out == "a,analysis,,\nb,exec,claude,exec\n"
    assert machine.lisa("session", "lane", "--name", "b", "--clear").out == "lane cleared: b\n"


def test_lanes_belong_to_their_project(machine: LisaHost) -> None:
    _lane(machine, "--name", "a", "--goal", "exec")
    assert _lane(machine, "--project-root", str(machine.home))["count"] == 0


def test_corrupt_store_does_not_block_a_change(machine: LisaHost) -> None:
    _lane(machine, "--name", "a", "--goal", "exec")
    _store(machine).write_text("{ broken")
    read = machine.lisa("session", "lane", "--json")
    assert (read.code, read.json["errorCode"]) == (1, "lane_store_read_failed")
    answer = _lane(machine, "--name", "b", "--goal", "exec")
    assert (answer["recovered"], answer["count"]) == (True, 1)
    assert "recovered" not in _lane(machine, "--name", "c", "--goal", "exec")
    _store(machine).write_text("{ broken")
    assert _lane(machine, "--name", "b", "--clear")["recovered"] is True


def test_forty_concurrent_upserts_are_all_stored(machine: LisaHost) -> None:
    ended = machine.run_together(
        [("session", "lane", "--name", f"l{number}", "--goal", "exec") for number in range(40)]
    )
    assert [answer for answer in ended if answer.code != 0] == []
    lanes = json.loads(_store(machine).read_text())["lanes"]
    assert sorted(lanes) == sorted(f"l{number}" for number in range(40))
