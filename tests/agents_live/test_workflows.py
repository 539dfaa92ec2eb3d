"""Orchestration end to end: autopilot, loop and wait drive the real agents, and agents drive agents."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lisa_py.store import autopilot_runs, session_records
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import CallResult, LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents
AGENTS = pytest.mark.parametrize("agent", ["claude", "codex"])


def _run_autopilot(stage: LiveSessionHarness, *words: str, stdin: str | None = None) -> CallResult:
    return stage.machine.lisa("session", "autopilot", *words, "--json", stdin=stdin, timeout=120)


def _start(stage: LiveSessionHarness, prompt: str, *words: str) -> CallResult:
    return _run_autopilot(stage, "--agent", stage.agent_name, "--session", stage.name, "--prompt", prompt, *words)


@AGENTS
def test_autopilot_runs_an_interactive_session(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    stage = LiveSessionHarness(machine, api, agent, permission="bypass")
    answer = _start(stage, "[fake tool echo out-of-the-tool then text the answer is 42]")
    got = answer.json
    assert (answer.code, got["ok"]) == (0, True), got
    assert got["monitor"]["output"]["waitingFor"] == "prompt"
    assert "the answer is 42" in got["capture"]["output"]["capture"]
    assert (got["handoff"]["output"]["sessionState"], got["handoff"]["output"]["nextAction"]) == (
        "waiting_input",
        "session send",
    )
    assert len(stage.model_prompts()) == 1


@AGENTS
def test_autopilot_runs_an_exec_session_and_cleans_up(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    stage = LiveSessionHarness(machine, api, agent, permission="bypass")
    answer = _start(stage, "[fake think 1 hm then text all done]", "--goal", "exec", "--kill-after", "true")
    got = answer.json
    assert (answer.code, got["ok"]) == (0, True), got
    assert got["monitor"]["output"]["finalState"] == "completed"
    assert "all done" in got["capture"]["output"]["capture"]
    assert got["cleanup"]["output"]["found"] is True
    assert stage.status().session_state == "not_found"


@AGENTS
def test_autopilot_resumes_after_a_fixed_error(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    stage = LiveSessionHarness(machine, api, agent, permission="bypass")
    broken = _start(stage, "[fake tool echo hi then error billing]")
    got = broken.json
    assert (broken.code, got["failedStep"], got["monitor"]["errorCode"]) == (2, "monitor", "agent_error"), got
    assert got["capture"]["ok"] is True  # what there is has been read
    assert got["handoff"] == {"ok": False, "skipped": True}
    assert stage.send("[fake text fixed]").code == 0
    fixed = _run_autopilot(stage, "--resume-from", "-", "--kill-after", "true", stdin=broken.out)
    assert (fixed.code, fixed.json["resumeStep"]) == (0, "monitor"), fixed
    assert fixed.json["agent"] == agent
    assert "fixed" in fixed.json["capture"]["output"]["capture"]
    assert fixed.json["cleanup"]["ok"] is True
    assert stage.status().session_state == "not_found"


@AGENTS
def test_timed_out_run_continues_where_it_stopped(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    stage = LiveSessionHarness(machine, api, agent, permission="bypass")
    late = _start(stage, "[fake gate pause then text at last]", "--timeout-seconds", "6")
    assert (late.code, late.json["monitor"]["errorCode"]) == (2, "monitor_timeout"), late
    api.open("pause")
    got = _run_autopilot(stage, "--resume-from", "-", "--timeout-seconds", "60", stdin=late.out).json
    assert got["ok"] is True, got
    assert "at last" in got["capture"]["output"]["capture"]
    assert len(stage.model_prompts()) == 1


@AGENTS
def test_killed_run_is_resumed_by_id(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    stage = LiveSessionHarness(machine, api, agent, permission="bypass")
    words = ("--agent", agent, "--session", stage.name, "--prompt", "[fake gate pause then text after the crash]")
    running = machine.start("session", "autopilot", *words, "--json")
    api.wait_at_gate("pause")
    stage.wait_for_status(lambda status: status.session_state == "in_progress")
    run = wait_until(lambda: _spawned(stage), what="the log knows of the spawn")
    running.kill()
    running.communicate(timeout=30)
    api.open("pause")
    got = _run_autopilot(stage, "--resume-from", run.id, "--kill-after", "true").json
    assert (got["ok"], got["resumeStep"], got["resumedFrom"]) == (True, "monitor", run.id), got
    assert (got["agent"], got["spawn"]["resumed"]) == (agent, True)
    assert "after the crash" in got["capture"]["output"]["capture"]
    assert len(stage.model_prompts()) == 1
    assert stage.status().session_state == "not_found"


def _spawned(stage: LiveSessionHarness) -> autopilot_runs.RunRef | None:
    """Return the run whose log reports its session."""
    every = autopilot_runs.list_runs(stage.ctx.project())
    return next((run for run in every if json.loads(autopilot_runs.read(run) or b"{}")["spawn"]["ok"]), None)


@AGENTS
def test_loop_follows_a_session_until_it_is_killed(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    stage = LiveSessionHarness(machine, api, agent, permission="bypass").begin()
    stage.send("[fake text the first answer]")
    words = ("--poll-interval", "2", "--max-polls", "30")
    first = _loop(stage, *words)
    assert "the first answer" in str(first["steps"][0]["diffPack"]["addedLines"]), first
    looping = machine.start("session", "loop", "--session", stage.name, "--steps", "3", *words, "--json")
    stage.send("[fake tool echo hi then text the second answer]")
    read = Path(stage.ref.folder, "loop-pack.cursor")
    wait_until(lambda: "the second answer" in read.read_text(), what="the loop has read it")
    stage.send("[fake hang 60]")
    wait_until(lambda: stage.status().session_state == "in_progress")
    killed = stage.lisa("kill")
    assert killed.code == 0
    out, _ = looping.communicate(timeout=60)
    got = json.loads(out)
    assert (looping.returncode, got["errorCode"]) == (1, "loop_monitor_failed"), got
    assert got["cause"]["errorCode"] in ("monitor_not_found", "monitor_crashed")
    assert any("the second answer" in str(cycle["diffPack"]["addedLines"]) for cycle in got["steps"]), got


def _loop(stage: LiveSessionHarness, *words: str) -> dict[str, Any]:
    answer = stage.lisa("loop", *words)
    assert answer.code == 0, answer
    return answer.json


@AGENTS
def test_idle_before_a_key_is_not_its_result(machine: LisaHost, api: FakeModelApi, agent: str) -> None:
    """No agent confirms a key, and none handles it at once."""
    stage = LiveSessionHarness(machine, api, agent, permission="bypass").begin()
    for number in range(2):
        assert stage.lisa("send", "--text", f"[fake think 1 hm then text answer {number}]").json["ok"] is True
        got = stage.lisa("turn", "--keys", "Enter", "--lines", "8", "--token-budget", "2000", timeout=90)
        assert f"answer {number}" in got.json["packet"]["summary"].splitlines()[-1], got


def test_one_wait_watches_both_agents_at_once(machine: LisaHost, api: FakeModelApi) -> None:
    stages = [LiveSessionHarness(machine, api, agent, permission="bypass") for agent in ("claude", "codex")]
    for stage in stages:
        stage.begin()
        stage.send(f"[fake gate {stage.agent_name} then text over]")
    for stage in stages:
        stage.wait_for_status(lambda status: status.session_state == "in_progress")
    waiting = machine.start("session", "wait", "--any", "--json-min", "--timeout-seconds", "60")
    api.wait_at_gate("codex")
    api.open("codex")
    out, _ = waiting.communicate(timeout=90)
    got = json.loads(out)
    assert [row["session"] for row in got["sessions"]] == ["lisa-codex-live"], got
    assert got["pending"] == ["lisa-claude-live"]
    api.open("claude")
    every = machine.lisa("session", "wait", "--all", "--timeout-seconds", "60", "--json", timeout=90)
    assert (every.code, len(every.json["sessions"])) == (0, 2), every


# -- agents that drive agents ---------------------------------------------------------------------------------------


def _nested(machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    """A parent claude on a machine that also has codex, and lisa on the PATH, also of login shells (codex's are)."""
    LiveSessionHarness(machine, api, "codex", permission="bypass")
    machine.add_program("lisa", f'#!/bin/sh\nexec {sys.executable} -P -m lisa_py "$@"\n')
    (machine.home / ".profile").write_text(f'PATH="{machine.bin}:$PATH"\n')
    return LiveSessionHarness(machine, api, "claude", permission="bypass")


def _child(name: str, agent: str, prompt: str, quote: str) -> str:
    """Steps of a directive: spawn a session, watch it to its end, read it."""
    policy = "--nested-policy force" if agent == "codex" else ""
    return (
        f"tool lisa session spawn --agent {agent} --mode exec --session {name} {policy} --prompt {quote}{prompt}{quote}"
        f" --json then tool lisa session monitor --session {name} --expect terminal --json-min"
        f" then tool lisa session capture --session {name} --raw"
    )


def test_a_parent_claude_spawns_monitors_and_reads_a_child_codex(machine: LisaHost, api: FakeModelApi) -> None:
    parent = _nested(machine, api).begin()
    steps = _child("lisa-child", "codex", "[fake text the child says 42]", "'")
    parent.send(f"[fake {steps} then text the parent read: {{last}}]")
    parent.wait_until_idle(120)
    read = parent.lisa("capture", "--transcript").out
    assert "the child says 42" in read.rpartition("the parent read:")[2], read
    child = machine.lisa("session", "status", "--session", "lisa-child", "--json").json
    assert (child["agent"], child["sessionState"]) == ("codex", "completed")
    tree = machine.lisa("session", "tree", "--flat", "--json").json
    assert {"lisa-child", parent.name} <= set(json.dumps(tree).replace('"', " ").split())


def test_killing_the_first_level_ends_all_three(machine: LisaHost, api: FakeModelApi) -> None:
    parent = _nested(machine, api).begin()
    third = _child("lisa-third", "scripted", "[say deep 3]", "'")
    second = _child("lisa-second", "codex", f"[fake {third} then text the second read: {{last}}]", '"')
    parent.send(f"[fake {second} then text the first read: {{last}}]")
    parent.wait_until_idle(180)
    assert "the first read: " in parent.lisa("capture", "--transcript").out
    second_output = machine.lisa("session", "capture", "--session", "lisa-second", "--raw").out
    assert "deep 3" in second_output.rpartition("the second read:")[2], second_output
    metas = {name: session_records.read_meta(machine.context().ref(name)) for name in ("lisa-second", "lisa-third")}
    parents = {name: meta.parent_session for name, meta in metas.items() if meta is not None}
    assert parents == {"lisa-second": parent.name, "lisa-third": "lisa-second"}
    killed = parent.lisa("kill").json
    assert set(killed["descendants"]) == {"lisa-second", "lisa-third"}
    assert machine.lisa("session", "list", "--json").json["sessions"] == []
