"""The next step by state, what is waited for, and budget."""

from __future__ import annotations

import pytest

from lisa_py.core.advice import next_step
from lisa_py.core.advice.recovery import AdviceTarget
from lisa_py.core.advice.respawn import RespawnOptions

TARGET = AdviceTarget(
    session="lisa-a",
    project_root="/p",
    respawn_options=RespawnOptions(agent="claude", mode="interactive"),
    binary="lisa",
)


@pytest.mark.parametrize(
    ("state", "waiting_for", "budget", "action", "part"),
    [
        ("waiting_input", "prompt", 1, "session send", "--enter --json-min"),
        ("waiting_input", "permission", 1, "session snapshot", "--json-min"),
        ("waiting_input", "limit", 1, "session monitor", "--stop-on-waiting false"),
        ("in_progress", "", 250, "session snapshot", "--json-min"),
        ("in_progress", "", 251, "session packet", "--token-budget 251"),
        ("degraded", "", 600, "session packet", "--token-budget 600"),
        ("in_progress", "", 601, "session context-pack", "--strategy balanced --token-budget 601"),
        ("just_started", "", 100, "session snapshot", "--json-min"),
        ("completed", "", 250, "session capture", "--summary-style terse --token-budget 250"),
        ("completed", "", 600, "session packet", "--token-budget 600"),
        ("completed", "", 601, "session context-pack", "--strategy full"),
        ("crashed", "", 1, "session explain", "--events 40"),
        ("stuck", "", 1, "session explain", "--events 40"),
        ("not_found", "", 1, "session spawn", "--agent claude --mode interactive"),
        ("something_new", "", 1, "session status", "--json-min"),
    ],
)
def test_each_state_has_its_next_step(state: str, waiting_for: str, budget: int, action: str, part: str) -> None:
    step = next_step.recommend_step(state, waiting_for, budget, TARGET)
    assert step.action == action
    assert part in step.command
    assert step.reason


def test_words_do_not_help_an_agent_whose_login_is_refused() -> None:
    step = next_step.recommend_step("waiting_input", "error", 400, TARGET, "auth")
    assert (step.action, "login" in step.reason) == ("session explain", True)
    assert next_step.recommend_step("waiting_input", "error", 400, TARGET, "server").action == "session send"
