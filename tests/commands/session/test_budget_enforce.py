"""session budget-enforce."""

from __future__ import annotations

import json

import pytest

from tests.lisa_host import LisaHost


def test_observe_and_enforce_compose_through_a_pipe(machine: LisaHost) -> None:
    seen = machine.lisa("session", "budget-observe", "--tokens", "900", "--json").out
    answer = machine.lisa("session", "budget-enforce", "--from", "-", "--max-tokens", "100", "--json", stdin=seen)
    assert answer.code == 1
    assert answer.json["errorCode"] == "budget_limit_exceeded"
    assert answer.json["violations"] == [{"metric": "tokens", "observed": 900, "limit": 100}]
    assert answer.json["limits"] == {"maxTokens": 100, "maxSeconds": 0, "maxSteps": 0}


@pytest.mark.parametrize(
    "report",
    [
        {"usage": {"input_tokens": 90, "cache_read_input_tokens": 800, "output_tokens": 10}, "type": "result"},
        {"type": "turn.completed", "usage": {"input_tokens": 890, "cached_input_tokens": 800, "output_tokens": 10}},
        {"observed": {"tokens": 900}},
        {"costEstimate": {"totalTokens": 900}},
    ],
)
def test_agent_usage_is_enforced(machine: LisaHost, report: dict[str, object]) -> None:
    words = ("session", "budget-enforce", "--from", "-", "--max-tokens", "899", "--json")
    assert machine.lisa(*words, stdin=json.dumps(report)).json["violations"][0]["observed"] == 900


def test_limit_may_be_reached_exactly(machine: LisaHost) -> None:
    words = ("session", "budget-enforce", "--tokens", "100", "--seconds", "5", "--steps", "2")
    answer = machine.lisa(*words, "--max-tokens", "100", "--max-seconds", "5", "--max-steps", "2", "--json")
    assert (answer.code, answer.json["ok"], answer.json["violations"]) == (0, True, [])
    assert "errorCode" not in answer.json


def test_violations_follow_the_order_of_metrics(machine: LisaHost) -> None:
    words = ("session", "budget-enforce", "--tokens", "101", "--seconds", "9", "--steps", "3")
    answer = machine.lisa(*words, "--max-steps", "2", "--max-tokens", "100", "--max-seconds", "8")
    assert answer.code == 1
    assert answer.out.splitlines() == [
        "violation=tokens observed=101 limit=100",
        "violation=seconds observed=9 limit=8",
        "violation=steps observed=3 limit=2",
    ]


def test_unchecked_limit_is_visible(machine: LisaHost) -> None:
    answer = machine.lisa(
        "session", "budget-enforce", "--tokens", "1", "--max-tokens", "5", "--max-steps", "5", "--json"
    )
    assert (answer.code, answer.json["missingMetrics"]) == (0, ["steps"])
    completed = machine.lisa("session", "budget-enforce", "--max-steps", "5")
    assert (completed.code, completed.out) == (0, "ok\n")
    assert "--max-steps is not checked" in completed.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "missing_budget_limits"),
        (("--from", "nowhere"), "missing_budget_limits"),
        (("--max-tokens", "1", "--from", "nowhere"), "invalid_from"),
        (("--max-tokens", "1", "--from-jsonl", "nowhere"), "invalid_from_jsonl"),
        (("--max-tokens", "0"), "invalid_max_tokens"),
        (("--max-seconds", "0"), "invalid_max_seconds"),
        (("--max-steps", "0"), "invalid_max_steps"),
        (("--max-steps", "1", "--steps", "0"), "invalid_steps"),
    ],
)
def test_refused_arguments(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "budget-enforce", *words, "--json")
    assert (answer.code, answer.json["errorCode"]) == (1, code)
