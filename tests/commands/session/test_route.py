"""session route: who should do a job, and how."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fleet import Fleet
from tests.lisa_host import LisaHost
from tests.session_harness import SessionHarness


def _route(machine: LisaHost, *words: str, stdin: str | None = None) -> dict[str, Any]:
    answer = machine.lisa("session", "route", *words, "--json", stdin=stdin)
    assert answer.code == 0, answer
    return answer.json


def _lane(machine: LisaHost, *words: str) -> None:
    assert machine.lisa("session", "lane", "--name", "fix", *words).code == 0


def test_json_min_has_the_command_and_requested_parts(machine: LisaHost) -> None:
    full = _route(machine, "--goal", "exec", "--emit-runbook")
    small = machine.lisa("session", "route", "--goal", "exec", "--emit-runbook", "--json-min").json
    keys = {"goal", "agent", "mode", "nestedPolicy", "nestingIntent", "model", "command", "monitorHint", "runbook"}
    assert small == {key: full[key] for key in (*keys, "stderrPolicy")}


@pytest.mark.parametrize(
    ("goal", "mode", "policy", "intent", "command"),
    [
        ("nested", "exec", "force", "nested", "--dangerously-bypass-approvals-and-sandbox"),
        ("execution", "exec", "off", "neutral", "codex exec 'Run the task and return concise final output.'"),
        ("analysis", "interactive", "off", "neutral", "codex --model 'gpt-5.3-codex-spark' 'Analyze current task"),
    ],
)
def test_each_goal_has_its_defaults(
    machine: LisaHost, goal: str, mode: str, policy: str, intent: str, command: str
) -> None:
    got = _route(machine, "--goal", goal)
    assert (got["mode"], got["nestedPolicy"], got["nestingIntent"]) == (mode, policy, intent)
    assert command in got["command"]
    assert (got["agent"], got["model"], got["profile"]) == ("codex", "gpt-5.3-codex-spark", "")
    assert got["monitorHint"] == (
        "session monitor --stop-on-waiting true --json"
        if mode == "interactive"
        else "session monitor --expect terminal --json"
    )
    assert f"nested_policy={policy}" in got["rationale"]
    assert not {"queue", "topology", "costEstimate", "runbook", "fromState", "lane", "budget"} & got.keys()


def test_claude_routes_work_and_name_no_model(machine: LisaHost) -> None:
    _lane(machine, "--agent", "claude", "--goal", "exec", "--model", "gpt-5.5")
    for words in (("--agent", "claude"), ("--profile", "Claude"), ("--agent", ""), ("--lane", "fix")):
        got = _route(machine, *words, "--emit-runbook")
        assert (got["agent"], got["model"]) == ("claude", "")
        assert got["command"].startswith("claude ") and "--model" not in json.dumps(got["runbook"])


def test_flags_override_the_lane(machine: LisaHost) -> None:
    _lane(machine, "--goal", "exec", "--agent", "claude", "--prompt", "of the lane", "--budget", "90", "--topology",
          "workers", "--nested-policy", "auto")  # fmt: skip
    lane = _route(machine, "--lane", "FIX")
    assert {key: lane[key] for key in ("goal", "agent", "mode", "prompt", "budget", "lane", "nestedPolicy")} == {
        "goal": "exec", "agent": "claude", "mode": "exec", "prompt": "of the lane", "budget": 90, "lane": "fix",
        "nestedPolicy": "auto",
    }  # fmt: skip
    assert lane["topology"]["roles"] == ["workers"]
    flags = ("--goal", "analysis", "--agent", "codex", "--prompt", "mine", "--budget", "500", "--topology", "reviewer")
    own = _route(machine, "--lane", "fix", *flags)
    assert {key: own[key] for key in ("goal", "agent", "mode", "prompt", "budget")} == {
        "goal": "analysis", "agent": "codex", "mode": "interactive", "prompt": "mine", "budget": 500,
    }  # fmt: skip
    assert own["topology"]["roles"] == ["reviewer"]


def test_lane_model_of_another_agent_is_ignored_with_a_warning(machine: LisaHost) -> None:
    _lane(machine, "--agent", "claude", "--model", "opus")
    answer = machine.lisa("session", "route", "--lane", "fix", "--agent", "codex", "--json")
    assert answer.json["model"] == "gpt-5.3-codex-spark"
    assert "opus is ignored" in answer.err


def test_topology_gives_a_graph_and_raises_the_estimate(machine: LisaHost) -> None:
    got = _route(machine, "--goal", "nested", "--topology", "planner,workers,reviewer", "--cost-estimate")
    assert [node["id"] for node in got["topology"]["nodes"]] == ["planner", "worker-1", "worker-2", "reviewer"]
    assert {"from": "worker-2", "to": "reviewer"} in got["topology"]["edges"]
    estimate = got["costEstimate"]
    assert estimate["topologyMultiplier"] == "2.05"
    assert {step["step"]: step["tokens"] for step in estimate["steps"]}.items() >= {
        "spawn": 368,
        "monitor": 533,
    }.items()
    assert (_route(machine, "--cost-estimate")["costEstimate"]["totalTokens"], "costEstimate" in _route(machine)) == (
        770,
        False,
    )


def test_prompt_tokens_are_reported_with_the_estimate(machine: LisaHost) -> None:
    short = _route(machine, "--cost-estimate", "--prompt", "x" * 8)
    long = _route(machine, "--cost-estimate", "--prompt", "x" * 4001)
    assert (short["promptTokens"], long["promptTokens"]) == (2, 1001)
    assert short["costEstimate"] == long["costEstimate"]


def test_queue_is_sorted_by_urgency_and_split_into_waves(machine: LisaHost, fleet: Fleet) -> None:
    SessionHarness(machine, "lisa-idle").spawn()
    fleet.spawn("lisa-broken", "exit 3")
    fleet.spawn("lisa-busy")
    fleet.wait_until_ended("lisa-broken")
    got = _route(machine, "--queue", "--concurrency", "2")
    assert [
        (item["session"], item["position"], item["dispatchWave"], item["dispatchSlot"]) for item in got["queue"]
    ] == [
        ("lisa-broken", 1, 1, 1),
        ("lisa-idle", 2, 1, 2),
        ("lisa-busy", 3, 2, 1),
    ]
    assert [item["nextAction"] for item in got["queue"][:2]] == ["session explain", "session send"]
    assert got["queue"][1]["command"].startswith("lisa session send --session 'lisa-idle'")
    assert got["dispatchPlan"] == [
        {"wave": 1, "concurrency": 2, "sessions": ["lisa-broken", "lisa-idle"]},
        {"wave": 2, "concurrency": 2, "sessions": ["lisa-busy"]},
    ]
    cut = _route(machine, "--queue", "--sessions", "lisa-idle,lisa-gone,lisa-idle", "--queue-limit", "1")
    assert (cut["queueCount"], cut["queue"][0]["session"]) == (1, "lisa-idle")


def test_an_empty_project_has_an_empty_queue(machine: LisaHost) -> None:
    got = _route(machine, "--queue")
    assert (got["queue"], got["queueCount"], got["dispatchPlan"]) == ([], 0, [])


def test_text_shows_requested_parts(machine: LisaHost) -> None:
    out = machine.lisa(
        "session", "route", "--queue", "--sessions", "lisa-gone", "--topology", "planner,reviewer", "--emit-runbook"
    ).out.splitlines()
    assert out[0].startswith("codex ") and out[1].startswith("goal=analysis | mode=interactive")
    assert "topology: planner->reviewer" in out
    assert any("lisa-gone not_found" in line for line in out)
    assert "runbook:" in out


def test_prompt_continues_from_a_piped_handoff(machine: LisaHost) -> None:
    stage = SessionHarness(machine).spawn()
    for schema in ("v1", "v4"):
        handoff = stage.lisa("handoff", "--schema", schema).out
        got = _route(machine, "--from-state", "-", "--strict", stdin=handoff)
        assert got["fromState"]["session"] == stage.name
        assert f"Session: {stage.name}\nState: waiting_input" in got["prompt"]
        assert "Recommended next action: session send" in got["prompt"]
    mine = _route(machine, "--from-state", "-", "--prompt", "mine", stdin=handoff)
    assert mine["prompt"] == "mine"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--goal", "win"), "invalid_goal"),
        (("--agent", "nobody"), "invalid_agent"),
        (("--profile", "nobody"), "invalid_profile"),
        (("--agent", "claude", "--model", "x"), "invalid_model_configuration"),
        (("--model", "a\nb"), "invalid_model"),
        (("--budget", "0"), "invalid_budget"),
        (("--queue-limit", "0"), "invalid_queue_limit"),
        (("--concurrency", "0"), "invalid_concurrency"),
        (("--topology", "boss"), "invalid_topology"),
        (("--lane", "none"), "lane_not_found"),
        (("--from-state", "-"), "invalid_from_state"),
        (("--from-state", "-", "--strict"), "invalid_from_state_strict"),
    ],
)
def test_refused_arguments(machine: LisaHost, words: tuple[str, ...], code: str) -> None:
    answer = machine.lisa("session", "route", *words, "--json", stdin="[]")
    assert (answer.code, answer.json["errorCode"]) == (1, code)
