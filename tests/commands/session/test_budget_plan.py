"""session budget-plan."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from tests.lisa_host import LisaHost


def _plan(machine: LisaHost, *words: str, stdin: str | None = None) -> dict[str, Any]:
    answer = machine.lisa("session", "budget-plan", *words, "--json", stdin=stdin)
    assert answer.code == 0, answer
    return answer.json


def _commands(plan: dict[str, Any]) -> dict[str, str]:
    return {step["id"]: step["command"] for step in plan["runbook"]["steps"]}


def test_the_default_plan_is_an_analysis(machine: LisaHost) -> None:
    plan = _plan(machine)
    root = f"--project-root '{machine.project}'"
    assert {key: plan[key] for key in ("goal", "agent", "mode", "profile", "budget", "topologyRoles")} == {
        "goal": "analysis",
        "agent": "codex",
        "mode": "interactive",
        "profile": "",
        "budget": 0,
        "topologyRoles": [],
    }
    assert (plan["costEstimate"]["totalTokens"], plan["hardStop"]["maxSeconds"]) == (770, 78)
    assert plan["hardStop"]["enforceCommand"] == (
        "lisa session budget-enforce --max-tokens 184885 --max-seconds 78 --max-steps 8"
        ' --from "$RUNTIME_METRICS_JSON" --json'
    )
    assert _commands(plan) == {
        "preflight": f"lisa session preflight --agent codex {root} --json",
        "spawn": "lisa session spawn --agent codex --mode interactive --nested-policy off --nesting-intent neutral"
        f" {root} --prompt 'Analyze current task and propose next concrete actions.'"
        " --model 'gpt-5.3-codex-spark' --json",
        "monitor": f'lisa session monitor --session "$SESSION" {root} --stop-on-waiting true --json',
        "capture": f'lisa session capture --session "$SESSION" {root} --raw --json-min',
        "handoff": f'lisa session handoff --session "$SESSION" {root} --json-min',
        "cleanup": f'lisa session kill --session "$SESSION" {root} --json',
    }
    notes = [step["id"] for step in plan["runbook"]["steps"] if "note" in step]
    assert notes == ["spawn"]


def test_plan_for_claude_has_no_codex_model(machine: LisaHost) -> None:
    for words in (("--agent", "claude"), ("--profile", "claude"), ("--agent", "")):
        spawn = _commands(_plan(machine, *words))["spawn"]
        assert "--agent claude " in spawn
        assert "--model" not in spawn


def test_profile_overrides_the_agent(machine: LisaHost) -> None:
    plan = _plan(machine, "--agent", "claude", "--profile", "Codex-Spark")
    assert (plan["agent"], "--model 'gpt-5.3-codex-spark'" in _commands(plan)["spawn"]) == ("codex", True)


def test_budget_limits_the_plan_and_its_commands(machine: LisaHost) -> None:
    plan = _plan(machine, "--goal", "execution", "--topology", "workers,planner", "--budget", "100")
    assert plan["costEstimate"]["topologyMultiplier"] == "1.80"
    assert (plan["hardStop"]["maxTokens"], plan["hardStop"]["maxSeconds"]) == (100, 99)
    commands = _commands(plan)
    assert commands["capture"].endswith("--raw --summary --summary-style ops --token-budget 100 --json")
    assert commands["monitor"].endswith("--expect terminal --json")
    assert '--for "$SESSION"' in commands["context-pack"]


def test_the_budget_of_the_open_objective_is_the_default(machine: LisaHost) -> None:
    machine.lisa("session", "objective", "--id", "a", "--goal", "x", "--budget", "480")
    assert _plan(machine)["budget"] == 480
    assert _plan(machine, "--budget", "100")["budget"] == 100
    machine.lisa("session", "objective", "--id", "a", "--status", "done")
    assert _plan(machine)["budget"] == 0


def test_plan_continues_from_a_piped_state(machine: LisaHost) -> None:
    state = {"session": "lisa-a", "sessionState": "crashed", "reason": "exit_1", "nextAction": "session explain"}
    plan = _plan(machine, "--from-state", "-", stdin=json.dumps(state))
    assert plan["fromState"] == {**state, "status": "crashed"}
    assert "$'Continue orchestration from existing state context.\\nSession: lisa-a\\n" in _commands(plan)["spawn"]


def test_commands_use_the_name_of_the_program(machine: LisaHost) -> None:
    (machine.project / "lisa").write_text("#!/bin/sh\n")
    (machine.project / "lisa").chmod(0o755)
    assert _commands(_plan(machine))["cleanup"].startswith("./lisa session kill ")


def test_text_has_limits_and_commands(machine: LisaHost) -> None:
    lines = machine.lisa("session", "budget-plan", "--goal", "nested").out.splitlines()
    assert lines[0] == "budget_plan goal=nested mode=exec max_tokens=276977 max_seconds=98 max_steps=8"
    assert lines[1].startswith("lisa session budget-enforce --max-tokens 276977")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--goal", "win"), "invalid_goal"),
        (("--agent", "nobody"), "invalid_agent"),
        (("--profile", "nobody"), "invalid_profile"),
        (("--budget", "0"), "invalid_budget"),
        (("--topology", "boss"), "invalid_topology"),
        (("--from-state", "nowhere"), "invalid_from_state"),
        (("--from-state", "-"), "invalid_from_state"),
    ],
)
def test_refused_arguments(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "budget-plan", *words, "--json", stdin="[]")
    assert (answer.code, answer.json["errorCode"]) == (1, code)


def test_limit_of_a_plan_holds_for_usual_session_usage(machine: LisaHost) -> None:
    used = json.dumps({"usage": {"inputTokens": 28_000, "outputTokens": 682}, "seconds": 20, "steps": 2})
    enforced = _plan(machine)["hardStop"]["enforceCommand"].replace("$RUNTIME_METRICS_JSON", "-")
    answer = machine.lisa(*shlex.split(enforced)[1:], stdin=used)
    assert (answer.code, answer.json["observed"]["tokens"]) == (0, 28_682)


def test_budget_below_the_estimate_is_a_warning(machine: LisaHost) -> None:
    plan = _plan(machine, "--budget", "1200")
    assert plan["hardStop"]["maxTokens"] == 1200
    assert "1200 tokens" in plan["warning"]
    assert "warning" not in _plan(machine, "--budget", "500000")
