"""session budget-observe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lisa_host import LisaHost


def _file(machine: LisaHost, name: str, *records: dict[str, Any]) -> str:
    path = machine.project / name
    path.write_text("\n".join(json.dumps(record) for record in records))
    return str(path)


def _observe(machine: LisaHost, *words: str, stdin: str | None = None) -> dict[str, Any]:
    answer = machine.lisa("session", "budget-observe", *words, "--json", stdin=stdin)
    assert answer.code == 0, answer
    return answer.json


def test_without_sources_everything_is_zero_and_missing(machine: LisaHost) -> None:
    answer = _observe(machine)
    assert answer["observed"] == {"tokens": 0, "seconds": 0, "steps": 0}
    assert (answer["ok"], answer["sources"]) == (True, [])
    assert answer["missingMetrics"] == ["tokens", "seconds", "steps"]
    assert machine.lisa("session", "budget-observe", "--tokens", "5").out == "tokens=5 seconds=0 steps=0\n"


def test_the_largest_amount_counts_and_every_source_is_listed(machine: LisaHost) -> None:
    a = _file(machine, "a.json", {"totalTokens": 500, "seconds": 10})
    b = _file(machine, "b.json", {"tokens": 77, "totalSeconds": 30, "steps": [1, 2, 3]})
    c = _file(machine, "c.jsonl", {"tokens": 9}, {"tokens": 600})
    answer = _observe(machine, "--from", f"{a},b.json", "--from", a, "--from-jsonl", c, "--tokens", "10")
    assert answer["observed"] == {"tokens": 600, "seconds": 30, "steps": 3}
    assert answer["sources"] == [a, "b.json", a, c]
    assert "missingMetrics" not in answer
    assert b.endswith("b.json")


def test_reports_of_separate_jobs_can_be_added_up(machine: LisaHost) -> None:
    a, b = _file(machine, "a.json", {"tokens": 500, "steps": 1}), _file(machine, "b.json", {"tokens": 77})
    answer = _observe(machine, "--from", f"{a},{b}", "--tokens", "3", "--combine", "sum")
    assert (answer["observed"], answer["combine"]) == ({"tokens": 580, "seconds": 0, "steps": 1}, "sum")


def test_source_without_amounts_is_reported(machine: LisaHost) -> None:
    a = _file(machine, "a.json", {"hello": 1})
    assert _observe(machine, "--from", a)["unrecognizedSources"] == [a]
    assert a in machine.lisa("session", "budget-observe", "--from", a).err


def test_estimates_are_marked(machine: LisaHost) -> None:
    plan = machine.lisa("session", "budget-plan", "--json").out
    answer = _observe(machine, "--from", "-", "--seconds", "100", stdin=plan)
    assert (answer["observed"]["tokens"], answer["estimatedMetrics"]) == (160_770, ["tokens", "steps"])


def test_own_output_is_accepted_as_input(machine: LisaHost) -> None:
    first = machine.lisa("session", "budget-observe", "--tokens", "900", "--steps", "2", "--json").out
    answer = _observe(machine, "--from", "-", "--from-jsonl", "-", stdin=first)
    assert (answer["observed"], answer["missingMetrics"]) == ({"tokens": 900, "seconds": 0, "steps": 2}, ["seconds"])


def test_pipes_and_symlinks_are_read(machine: LisaHost) -> None:
    link = machine.project / "link.json"
    link.symlink_to(_file(machine, "a.json", {"tokens": 4}))
    assert _observe(machine, "--from", "link.json")["observed"]["tokens"] == 4


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--from", "nowhere.json"), "invalid_from"),
        (("--from", "."), "invalid_from"),
        (("--from", "list.json"), "invalid_from"),
        (("--from", "two.json"), "invalid_from"),
        (("--from-jsonl", "list.json"), "invalid_from_jsonl"),
        (("--tokens", "0"), "invalid_tokens"),
        (("--seconds", "x"), "invalid_seconds"),
        (("--steps", "-1"), "invalid_steps"),
        (("--combine", "mean"), "invalid_combine"),
    ],
)
def test_refused_arguments(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    (machine.project / "list.json").write_text("[1]")
    _file(machine, "two.json", {"tokens": 1}, {"tokens": 2})
    answer = machine.lisa("session", "budget-observe", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)
