"""session objective."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lisa_py.commands.session import objective
from lisa_py.core.context import Context
from lisa_py.host.clock import Clock
from lisa_py.store import objectives
from tests.lisa_host import LisaHost

NOON = 1_800_000_000.0


def _objective(machine: LisaHost, *words: str) -> dict[str, Any]:
    answer = machine.lisa("session", "objective", *words, "--json")
    assert answer.code == 0, answer
    return answer.json


def _at(machine: LisaHost, now: float, *given: str) -> Context:
    return machine.context(clock=Clock(now=lambda: now), given_fields=frozenset(given))


def test_upsert_activates_and_keeps_other_fields(machine: LisaHost) -> None:
    first = _objective(machine, "--id", "Auth", "--goal", "log in", "--acceptance", "tests pass", "--budget", "480")
    assert (first["action"], first["currentId"], first["objective"]["status"]) == ("upserted", "auth", "open")
    second = _objective(machine, "--id", "auth", "--status", "paused")["objective"]
    assert second == {**first["objective"], "status": "paused", "updatedAt": second["updatedAt"]}


def test_current_objective_is_the_default(machine: LisaHost) -> None:
    _objective(machine, "--id", "b", "--goal", "second")
    _objective(machine, "--id", "a", "--goal", "first")
    assert _objective(machine)["objective"]["id"] == "a"
    assert _objective(machine, "--id", "b", "--activate")["action"] == "activated"
    answer = _objective(machine)
    assert (answer["currentId"], answer["objective"]["id"]) == ("b", "b")
    assert [item["id"] for item in answer["objectives"]] == ["a", "b"]


def test_clearing_the_current_objective_selects_none(machine: LisaHost) -> None:
    _objective(machine, "--id", "a", "--goal", "x")
    answer = _objective(machine, "--id", "a", "--clear")
    assert (answer["action"], answer["currentId"], answer["count"]) == ("cleared", "", 0)
    assert _objective(machine, "--id", "a", "--clear")["action"] == "cleared"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--clear",), "missing_required_flag"),
        (("--goal", "x"), "missing_required_flag"),
        (("--ttl-hours", "3"), "missing_required_flag"),
        (("--activate",), "missing_required_flag"),
        (("--id", "nope", "--activate"), "objective_not_found"),
        (("--id", "nope"), "objective_not_found"),
        (("--id", "nope", "--ttl-hours", "3"), "objective_not_found"),
        (("--id", "a", "--status", "late"), "invalid_status"),
        (("--id", "a", "--budget", "0"), "invalid_budget"),
        (("--id", "a", "--ttl-hours", "-1"), "invalid_ttl_hours"),
        (("--id", "a", "--ttl-hours", "9007199254740991"), "invalid_ttl_hours"),
    ],
)
def test_refused_arguments(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "objective", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)


def test_time_limit_alone_is_stored(machine: LisaHost) -> None:
    _objective(machine, "--id", "a", "--goal", "x")
    answer = _objective(machine, "--id", "a", "--ttl-hours", "3")
    assert (answer["action"], answer["objective"]["goal"]) == ("upserted", "x")
    assert answer["objective"]["expiresAt"] > answer["objective"]["updatedAt"]


def test_expired_objective_is_removed_by_the_next_write(machine: LisaHost) -> None:
    args = objective.Args(id="old", goal="x", ttl_hours=1)
    objective.run(args, _at(machine, NOON))
    late = _at(machine, NOON + 3601)
    answer = objective.run(objective.Args(), late)
    assert (answer.count, answer.current_id) == (0, "")
    path = objectives.registry(late.project()).path
    with open(path) as file:
        assert "old" in json.load(file)["objectives"]
    objective.run(objective.Args(id="new", goal="y"), late)
    with open(path) as file:
        assert list(json.load(file)["objectives"]) == ["new"]


def test_only_an_open_objective_precedes_prompts(machine: LisaHost) -> None:
    project = machine.context().project()
    for status, shown in (("open", True), ("paused", False), ("done", False), ("open", True)):
        _objective(machine, "--id", "a", "--goal", "x", "--status", status)
        assert (objectives.find_current(project, NOON) is not None) is shown


def test_text_shows_the_current_objective_and_the_list(machine: LisaHost) -> None:
    assert machine.lisa("session", "objective").out == "no objectives\n"
    _objective(machine, "--id", "a", "--goal", "first")
    _objective(machine, "--id", "b", "--goal", "second", "--budget", "480")
    assert machine.lisa("session", "objective").out == "objective=b status=open budget=480\nsecond\n"
    assert machine.lisa("session", "objective", "--list").out == "a,open,0,first\nb,open,480,second\n"
    assert machine.lisa("session", "objective", "--id", "a", "--clear").out == "objective cleared: a\n"
    assert machine.lisa("session", "objective", "--id", "a").code == 1


def test_corrupt_store_does_not_block_a_change(machine: LisaHost) -> None:
    _objective(machine, "--id", "a", "--goal", "x")
    next((machine.folder / "state").rglob("objectives.json")).write_text("[]")
    read = machine.lisa("session", "objective", "--json")
    assert (read.code, read.json["errorCode"]) == (1, "objective_store_read_failed")
    assert _objective(machine, "--id", "b", "--goal", "y")["recovered"] is True
