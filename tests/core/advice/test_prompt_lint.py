"""core/advice/prompt_lint: warnings and score of a prompt."""

from __future__ import annotations

from typing import Any

import pytest

from lisa_py.core.advice import prompt_lint
from lisa_py.core.lifecycle import launch


def _codes(prompt: str, *, markers: tuple[str, ...] = (), budget: int = 320, **launched: Any) -> list[str]:
    start = launch.resolve_launch(
        launch.LaunchRequest(**{"agent": "codex", "mode": "exec", "prompt": prompt, **launched})
    )
    return [warning.code for warning in prompt_lint.lint_prompt(start, markers, budget).warnings]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 1), ("   ", 1), ("abc", 1), ("abcd", 2), (" abcd ", 2), ("é" * 400, 101), ("漢字" * 4, 9), ("ab漢", 2)],
)
def test_characters_are_counted_not_bytes(text: str, tokens: int) -> None:
    assert prompt_lint.estimate_tokens(text) == tokens


def test_prompt_that_contains_its_marker_is_severe() -> None:
    start = launch.resolve_launch(launch.LaunchRequest(agent="codex", mode="exec", prompt="Say DONE_1 at the end"))
    found = prompt_lint.lint_prompt(start, ("DONE_1", "done_1", "X"), 320)
    assert [(flaw.code, flaw.severity, flaw.markers) for flaw in found.warnings] == [
        ("prompt_contains_marker", "high", ("DONE_1",))
    ]
    assert (found.score, found.has_severity("high"), found.count("high")) == (70, True, 1)


@pytest.mark.parametrize(
    "prompt",
    [
        "Run three nested agents.",
        "Let each worker start a nested session.",
        "use nesting of lisa",
        "NESTED WORKERS please",
    ],
)
def test_unsupported_nesting_is_reported(prompt: str) -> None:
    assert _codes(prompt) == ["nested_hint_missing"]


@pytest.mark.parametrize(
    "prompt",
    [
        "Flatten the nested lists.",
        "nested loops are slow. The agent class is fine.",
        "unnested agents",
        "a nest of agents",
    ],
)
def test_ordinary_nesting_is_ignored(prompt: str) -> None:
    assert _codes(prompt) == []


def test_nesting_without_a_sandbox_has_no_warning() -> None:
    prompt = "Run three nested agents."
    assert _codes(prompt, mode="interactive") == []
    assert _codes(prompt, agent="claude") == []
    assert _codes(prompt, nested_policy="force") == []
    assert _codes("Use ./lisa to run nested agents.") == []


@pytest.mark.parametrize(
    ("prompt", "args", "codes"),
    [
        ("Use ./lisa for children.", "--full-auto", ["bypass_full_auto_conflict"]),
        ("x", "--full-auto --dangerously-bypass-approvals-and-sandbox", ["bypass_full_auto_conflict"]),
        ("x", "--full-auto", []),
        ("Use ./lisa for children.", "", []),
    ],
)
def test_sandbox_of_a_nested_run_is_a_conflict(prompt: str, args: str, codes: list[str]) -> None:
    assert _codes(prompt, agent_args=args) == codes


def test_score_falls_with_each_flaw_to_zero_at_least() -> None:
    start = launch.resolve_launch(launch.LaunchRequest(agent="codex", mode="exec", prompt="run nested agents DONE"))
    found = prompt_lint.lint_prompt(start, ("DONE",), 3)
    assert (found.score, found.token_estimate) == (37, 6)
    assert [flaw.severity for flaw in found.warnings] == ["medium", "high", "medium"]
