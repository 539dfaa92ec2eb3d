"""Limits of real claude and codex sessions: the agent's own usage, dollars and interrupt."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from lisa_py.core.outbox.delivery import was_resumed_at_limit
from lisa_py.core.usage.limits import describe_limits, is_enforced
from lisa_py.core.usage.usage_reader import read_usage
from lisa_py.host import processes
from lisa_py.host.clock import parse_time
from lisa_py.store import archives, events, outbox_records, session_records
from tests.agents_live.live_harness import LiveSessionHarness
from tests.fakes.model_api import FakeModelApi
from tests.lisa_host import LisaHost
from tests.polling import wait_until

pytestmark = pytest.mark.agents


@pytest.fixture(params=["claude", "codex"])
def stage(request: pytest.FixtureRequest, machine: LisaHost, api: FakeModelApi) -> LiveSessionHarness:
    return LiveSessionHarness(machine, api, request.param, permission="bypass")


def wait_for_end(stage: LiveSessionHarness) -> tuple[str, str]:
    wait_until(lambda: not Path(stage.ref.folder, "meta.json").exists(), timeout=60, what="the session is ended")
    ((_, record),) = wait_until(lambda: list(archives.list_archives(stage.ref.project)), what="an archive")
    wait_until(lambda: not is_enforced(stage.ref), what="the limit process has ended")
    return record.end_reason, record.end_detail


def test_a_turn_is_interrupted_at_the_limit(stage: LiveSessionHarness) -> None:
    stage.begin("", "--max-turns", "2")
    stage.send("[fake text one]")
    wait_until(lambda: (now := describe_limits(stage.ref)) and now.turns == 1, what="the first answer is counted")
    stage.send("[fake tool sleep 60]")
    assert wait_for_end(stage) == ("completed", "max_turns")
    found = [event.reason for event in events.read_tail(stage.ref, 100).events if event.type == "limit"]
    assert found == ["max_turns_reached"]


def test_one_shot_ends_after_a_tool_and_its_answer(stage: LiveSessionHarness) -> None:
    stage.begin("[fake tool echo hi]", "--one-shot")
    assert wait_for_end(stage) == ("completed", "one_shot")


def test_claude_reports_its_own_dollars(machine: LisaHost, api: FakeModelApi) -> None:
    stage = LiveSessionHarness(machine, api, "claude", permission="bypass")
    stage.begin("", "--max-budget-usd", "1")
    stage.send("[fake text one]")
    stage.wait_until_idle()
    used = wait_until(lambda: not (now := read_usage(stage.ctx, stage.ref)).estimated and now.cost_usd and now)
    assert used.cost_usd == pytest.approx(sum(model.cost_usd or 0 for model in used.models))
    stage.send("/clear")
    stage.send("[fake text two]")
    stage.wait_until_idle()
    more = wait_until(lambda: (now := read_usage(stage.ctx, stage.ref)).cost_usd > used.cost_usd and now)
    assert more.cost_usd == pytest.approx(sum(model.cost_usd or 0 for model in more.models))
    assert (more.calls, more.turns) == (2, 2)


def test_tokens_of_codex_subagents_count_once(machine: LisaHost, api: FakeModelApi) -> None:
    stage = LiveSessionHarness(machine, api, "codex", permission="bypass")
    stage.begin("", "--max-turns", "50", "--task-budget-tokens", "9000000")
    stage.send(
        "[fake spawn helper [fake gate child then tool echo by the child] then tool sleep 1 then text parent ends]"
    )
    sessions = stage.agent_home.home / ".codex" / "sessions"
    api.wait_for_prompt("by the child")
    own = str(stage.status().transcript_path)
    rollouts = wait_until(lambda: len(found := sorted(map(str, sessions.rglob("rollout-*.jsonl")))) == 2 and found)
    assert own == rollouts[0]
    wait_until(lambda: "parent ends" in stage.screen(), what="the parent does not wait for it")
    api.open("child")

    def sum_records(path: str) -> list[int]:
        records = [json.loads(line) for line in Path(path).read_text().splitlines()]
        return [each["payload"]["usage"]["total_tokens"] for each in records if each["type"] == "token_usage_record"]

    wait_until(lambda: len(sum_records(rollouts[1])) == 2, what="both calls of the subagent")
    stage.wait_until_idle()
    used = read_usage(stage.ctx, stage.ref)
    assert used.tokens == sum(map(sum, map(sum_records, rollouts)))
    assert (used.calls, used.turns, str(stage.status().transcript_path)) == (len(sum_records(own)), 1, own)
    wait_until(
        lambda: (now := describe_limits(stage.ref)) and now.tokens == used.tokens, what="its limit process agrees"
    )
    users = [frame["payload"]["content"] for frame in stage.lisa("history").json["frames"] if frame["type"] == "user"]
    assert len(users) == 1 and users[0].startswith("[fake spawn helper")


def read_end(stage: LiveSessionHarness) -> float:
    status = stage.wait_for_status(lambda status: status.waiting_for == "limit")
    return parse_time(str(status.limit.resets_at)) or 0.0


def test_codex_continues_after_its_usage_limit(machine: LisaHost, api: FakeModelApi) -> None:
    stage = LiveSessionHarness(machine, api, "codex", permission="bypass")
    stage.begin("", "--on-limit", "wait")
    stage.send("[fake limit 8]")
    before = time.time()
    end = read_end(stage)
    assert before + 1 < end < before + 9
    assert stage.status().limit.window == "5 hours"
    wait_until(lambda: stage.transcript_prompts() == ["[fake limit 8]", "continue"], timeout=40, what="it goes on")
    stage.wait_until_idle()
    assert time.time() > end
    assert stage.transcript_prompts() == ["[fake limit 8]", "continue"]


def use_account(stage: LiveSessionHarness) -> None:
    """Log claude in to an account: no key has such a limit."""
    del stage.machine.env["ANTHROPIC_AUTH_TOKEN"]
    stage.machine.env |= {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-fake", "TZ": "Asia/Kolkata"}


def test_claude_names_the_end_of_its_usage_limit(machine: LisaHost, api: FakeModelApi) -> None:
    stage = LiveSessionHarness(machine, api, "claude", permission="bypass")
    use_account(stage)
    stage.begin("", "--on-limit", "wait")
    before = time.time()
    stage.send("[fake limit 7200]")
    end = read_end(stage)
    assert before + 7200 - 61 <= end <= time.time() + 7200
    assert end % 60 == 0
    assert stage.status().limit.window == "5 hours"
    wait_until(lambda: "continuesAt" in stage.lisa("limit").json, what="the turn is to go on")


def test_the_turn_continues_after_a_loss(stage: LiveSessionHarness) -> None:
    if stage.agent_name == "claude":
        use_account(stage)
    stage.begin("", "--on-limit", "wait")
    stage.send("[fake limit 15]")
    read_end(stage)
    wait_until(lambda: "continuesAt" in stage.lisa("limit").json, what="the turn is to go on")
    meta = session_records.read_meta(stage.ref)
    assert meta is not None
    os.kill(meta.server_pid, signal.SIGKILL)
    wait_until(lambda: not processes.is_running(meta.pane_pid, meta.pane_started), timeout=30)
    Path(meta.socket_path).unlink(missing_ok=True)
    assert stage.lisa("resume").json["resumed"][0]["method"] == "conversation"
    (text,) = outbox_records.registry(stage.ref).read().texts
    stage.wait_until_idle()
    assert was_resumed_at_limit(stage.ctx, stage.ref, text)
    if stage.agent_name == "claude":
        return  # it names whole minutes
    expected = ["[fake limit 15]", "continue"]
    wait_until(lambda: stage.transcript_prompts() == expected, timeout=90, what="it goes on")
    stage.wait_until_idle()
    assert stage.transcript_prompts() == expected


def test_claude_menu_of_its_limit_takes_no_text(machine: LisaHost, api: FakeModelApi) -> None:
    stage = LiveSessionHarness(machine, api, "claude", permission="bypass")
    use_account(stage)
    stage.begin()
    stage.send("[fake limit 7200]")
    end = read_end(stage)
    server = stage.ctx.server(stage.ref)
    pane = server.find_pane(stage.name).pane_id
    server.send_keys(pane, ["/rate-limit-options"], literal=True)
    stage.wait_for_text("Manage usage limits")
    server.send_keys(pane, ["Enter"])
    stage.wait_for_status(lambda status: status.agent_state == "waiting")
    refused = stage.send("hello").json
    assert (refused["errorCode"], refused["waitingFor"]) == ("agent_waiting_dialog", "limit")
    assert [each["text"] for each in refused["choices"]] == [
        "Stop and wait for limit to reset",
        "Don’t continue automatically",
        "Upgrade your plan",
    ]
    assert stage.lisa("approve").json["errorCode"] == "answer_not_offered"
    shown = stage.lisa("limit").json
    assert (shown["limit"], parse_time(shown["resetsAt"])) == (True, end)
    assert stage.lisa("deny").json["delivered"] is True
    stage.wait_for_status(lambda status: (status.waiting_for, status.agent_state) == ("limit", "error"))
    assert "Continuing automatically at" in stage.screen()
    assert stage.transcript_prompts()[0] == "[fake limit 7200]" and "hello" not in stage.transcript()
