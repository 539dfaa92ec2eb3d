"""The next step by state, what is waited for, and budget."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from msgspec import structs

from lisa_py.contract.status import SESSION_STATES, WaitingFor
from lisa_py.core.advice import next_step, target
from lisa_py.core.advice.next_step import Situation
from lisa_py.core.advice.target import AdviceTarget, RespawnOptions
from lisa_py.core.send.open_dialog import DIALOG_KINDS
from tests.lisa_host import LisaHost

TARGET = AdviceTarget(
    session="lisa-a",
    project_root="/p q",
    respawn_options=RespawnOptions(agent="claude", mode="interactive"),
    binary="./lisa",
)
HERE = "--session 'lisa-a' --project-root '/p q'"
COMMANDS = {
    "waiting_input": f"session send {HERE} --text 'Continue from objective and latest state.' --enter --json-min",
    "in_progress": f"session monitor {HERE} --json-min",
    "degraded": f"session monitor {HERE} --json-min",
    "completed": f"session capture {HERE} --raw --summary --summary-style ops --json",
    "crashed": f"session explain {HERE} --events 40 --json-min",
    "stuck": f"session explain {HERE} --events 40 --json-min",
    "not_found": "session spawn --agent claude --mode interactive --project-root '/p q' --json",
    "just_started": f"session status {HERE} --json-min",
    "something new": f"session status {HERE} --json-min",
}


def test_a_resumable_session_is_resumed() -> None:
    lost = structs.replace(TARGET, resumable=True)
    for situation in (Situation(session_state="not_found"), Situation(session_state="crashed", is_server_lost=True)):
        assert next_step.recommend_step(situation, lost).command == f"./lisa session resume {HERE} --json"
    assert next_step.recommend_step(Situation(session_state="crashed"), lost).action == "session explain"


@pytest.mark.parametrize("state", COMMANDS)
def test_next_action_without_a_budget_is_the_contract(state: str) -> None:
    situation = Situation(session_state=state)
    step = next_step.recommend_step(situation, TARGET)
    assert step.command == f"./lisa {COMMANDS[state]}"
    assert step.action == situation.action == " ".join(COMMANDS[state].split()[:2])
    assert step.reason


@pytest.mark.parametrize(
    ("state", "waiting_for", "budget", "action", "part"),
    [
        ("waiting_input", "prompt", 1, "session send", "--enter --json-min"),
        ("waiting_input", "permission", 1, "session dialogs", "--json-min"),
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
    step = next_step.recommend_step(Situation(session_state=state, waiting_for=waiting_for), TARGET, budget)
    assert step.action == action
    assert part in step.command
    assert step.reason


@pytest.mark.parametrize("budget", [None, 400])
@pytest.mark.parametrize("waiting_for", sorted(DIALOG_KINDS | {"limit"}))
def test_no_prompt_is_suggested_to_a_blocked_agent(waiting_for: str, budget: int | None) -> None:
    situation = Situation(session_state="waiting_input", waiting_for=waiting_for)
    step = next_step.recommend_step(situation, TARGET, budget)
    by_need = {"quota": "session monitor", "answer": "session dialogs", "person": "session snapshot"}
    assert step.action == situation.action == by_need[situation.need]
    assert "--text" not in step.command


def test_every_waiting_reason_has_a_next_step() -> None:
    ready = {kind for kind in get_args(WaitingFor) if kind not in DIALOG_KINDS | {"limit"}}
    assert ready == {"", "prompt", "error"}
    assert {Situation(session_state="waiting_input", waiting_for=kind).need for kind in ready} == {"input"}


def test_reason_of_a_step_names_who_has_to_act() -> None:
    def reason(waiting_for: str, detail: str = "") -> str:
        situation = Situation(session_state="waiting_input", waiting_for=waiting_for, detail=detail)
        return next_step.recommend_step(situation, TARGET).reason

    assert "session approve or deny" in reason("permission", "Bash: ls") and reason("permission", "x").endswith(": x")
    assert "session answer" in reason("question") and "session answer" in reason("update")
    assert "a person decides" in reason("trust") and "spawn --trust" in reason("trust")
    where = "--session 'lisa-a' --project-root '/p q'"
    assert f"to answer: ./lisa session send {where} --answer 'yes', or" in reason("trust")
    for waiting_for in ("trust", "login"):
        assert reason(waiting_for).endswith(f" ./lisa session terminal {where}")
    assert "a person must" in reason("login")
    assert reason("limit", "resets 7pm").endswith("until the limit is lifted (resets 7pm)")


def test_refused_login_suggests_no_prompt() -> None:
    refused = Situation(session_state="waiting_input", waiting_for="error", error_kind="auth")
    step = next_step.recommend_step(refused, TARGET, 400)
    assert (step.action, "login" in step.reason) == ("session explain", True)
    failed = Situation(session_state="waiting_input", waiting_for="error", error_kind="server")
    assert next_step.recommend_step(failed, TARGET, 400).action == "session send"


def test_agent_with_a_dialog_precedes_an_idle_one() -> None:
    def score(waiting_for: str, error_kind: str = "") -> int:
        situation = Situation(session_state="waiting_input", waiting_for=waiting_for, error_kind=error_kind)
        return situation.priority[0]

    order = ["trust", "permission", "error", "prompt", "limit"]
    assert sorted(order, key=score, reverse=True) == order
    assert score("question") == score("dialog") == score("permission")
    assert score("error", "auth") == score("login") == score("trust")


def test_priority_of_a_state_is_the_contract() -> None:
    order = sorted(SESSION_STATES, key=lambda state: -Situation(session_state=state).priority[0])
    assert order[:4] == ["crashed", "stuck", "degraded", "waiting_input"]
    assert Situation(session_state="crashed").priority == (100, "critical")
    assert Situation(session_state="waiting_input", waiting_for="prompt").priority == (86, "needs_input")
    assert Situation(session_state="just_started").priority == (40, "unknown")
    assert Situation(session_state="not_found").priority == (5, "missing")


def test_suggestion_uses_the_name_of_the_program(machine: LisaHost) -> None:
    settings = machine.context().settings
    assert target.detect_binary(settings, str(machine.project)) == "lisa"
    Path(machine.project, "lisa").write_text("#!/bin/sh\n")
    assert target.detect_binary(settings, str(machine.project)) == "./lisa"
