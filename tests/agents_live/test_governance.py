"""Budgets, memories and anomalies of the real claude and codex, against the fake model."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents


@pytest.fixture(params=["claude", "codex"])
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, request.param)


def test_budget_counts_the_usage_of_the_agent(stage: LiveSessionHarness) -> None:
    stage.begin().send("[fake text the first answer]")
    stage.wait_until_idle()
    first = wait_until(lambda: (seen := stage.lisa("budget-observe").json)["observed"]["steps"] == 1 and seen)
    assert first["observed"]["tokens"] > 1000  # the agents' own instructions alone are longer
    assert first["observed"]["seconds"] > 0
    assert "estimatedMetrics" not in first
    stage.send("[fake tool echo hi then text the second answer]")
    stage.wait_until_idle()
    second = wait_until(lambda: (seen := stage.lisa("budget-observe").json)["observed"]["steps"] == 2 and seen)
    assert second["observed"]["tokens"] > 2 * first["observed"]["tokens"]
    assert stage.lisa("budget-enforce", "--max-tokens", str(second["observed"]["tokens"])).code == 0
    assert stage.lisa("budget-enforce", "--max-tokens", str(second["observed"]["tokens"] - 1)).code == 1
    path = str(stage.status().transcript_path)
    by_file = stage.machine.lisa("session", "budget-observe", "--from-jsonl", path, "--json").json
    assert by_file["observed"]["tokens"] == second["observed"]["tokens"]


@pytest.mark.parametrize(
    ("agent", "words"),
    [("claude", ["-p", "--output-format", "json"]), ("codex", ["exec", "--skip-git-repo-check", "--json"])],
)
def test_output_of_an_exec_run_is_a_usage_report(
    machine: LisaHost, api: FakeModelApi, agent: str, words: list[str]
) -> None:
    home = LiveSessionHarness(machine, api, agent).agent_home
    ended = subprocess.run(
        [*home.argv()[:1], *words, "[fake text done]"],
        cwd=home.project, env=home.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended
    report = "--from" if agent == "claude" else "--from-jsonl"
    seen = machine.lisa("session", "budget-observe", report, "-", "--json", stdin=ended.stdout).json
    assert seen["observed"]["tokens"] > 1000, json.dumps(seen)
    if agent == "claude":
        assert seen["observed"]["steps"] == 1


def test_busy_agent_is_no_anomaly_and_output_is_remembered(stage: LiveSessionHarness) -> None:
    stage.begin().send("[fake slow 4 a meaningful answer then text the very end]")
    stage.wait_for_status(lambda status: status.session_state == "in_progress")
    for _ in range(3):
        answer = stage.lisa("anomaly")
        assert (answer.code, answer.json["anomalies"]) == (0, []), answer.json
        stage.lisa("monitor", "--timeout-seconds", "1")
    stage.wait_until_idle()
    assert stage.lisa("anomaly").json["ok"] is True
    lines = "\n".join(stage.lisa("memory", "--refresh").json["lines"])
    assert "a meaningful answer" in lines


def test_failed_turn_is_an_anomaly(stage: LiveSessionHarness) -> None:
    stage.begin().send("[fake error bad_request]")
    stage.wait_for_status(lambda status: status.agent_state == "error")
    answer = stage.lisa("anomaly", "--auto-remediate")
    assert (answer.code, [item["code"] for item in answer.json["anomalies"]]) == (1, ["agent_error"])
    assert any("session send" in step["command"] for step in answer.json["autoRemediate"]["steps"])
