"""Limits of `lisa session spawn`: each ends a session of the scripted agent."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from lisa_py.core.usage.limits import describe_limits, is_enforced
from lisa_py.store import archives, events
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


def wait_for_archive(stage: SessionHarness) -> tuple[str, str]:
    """Wait for the end of the session; return the reason and the detail of its record."""
    wait_until(lambda: not Path(stage.ref.folder, "meta.json").exists(), what="the session is ended")
    ((_, record),) = wait_until(lambda: list(archives.list_archives(stage.ref.project)), what="an archive")
    return record.end_reason, record.end_detail


def limit_reasons(stage: SessionHarness) -> list[tuple[str, str]]:
    found = [event for event in events.read_tail(stage.ref, 100).events if event.type == "limit"]
    return [(event.reason, event.detail["limit"]) for event in found]


def find_limit_pid(stage: SessionHarness) -> int:
    path = Path(stage.ref.folder, "limits.pid")
    return wait_until(lambda: path.exists() and int(path.read_text() or 0), what="the limit process")


@pytest.mark.parametrize(
    ("flags", "prompt", "end", "events_of_it"),
    [
        (
            ["--max-turns", "5"],
            "[usage 1 1][usage 1 1][usage 1 1][usage 1 1][wait {go}][usage 1 1][think 60]",
            ("completed", "max_turns"),
            [("budget_warning", "max_turns"), ("max_turns_reached", "max_turns")],
        ),
        (
            ["--task-budget-tokens", "1000"],
            "[usage 700 150][wait {go}][usage 100 50][think 60]",
            ("completed", "budget"),
            [("budget_warning", "task_budget_tokens"), ("budget_exceeded", "task_budget_tokens")],
        ),
        (
            ["--max-budget-usd", "0.01"],
            "[usage 1000 200 claude-opus-5-5][usage 100 20 claude-opus-5-5][wait {go}]"
            "[usage 1000 200 claude-opus-5-5][think 60]",
            ("completed", "budget"),
            [("budget_warning", "max_budget_usd"), ("budget_exceeded", "max_budget_usd")],
        ),
    ],
)
def test_a_limit_warns_then_ends_the_session(
    stage: SessionHarness,
    tmp_path: Path,
    flags: list[str],
    prompt: str,
    end: tuple[str, str],
    events_of_it: list[tuple[str, str]],
) -> None:
    go = tmp_path / "go"
    stage.spawn(prompt.replace("{go}", str(go)), *flags)
    wait_until(lambda: limit_reasons(stage) == events_of_it[:1], what="the warning")
    limit = events_of_it[0][1]
    status = stage.lisa("status").json
    assert (status["sessionState"], status["limits"]["warned"]) == ("in_progress", [limit])
    assert status["limits"]["enforced"] is True
    transcript = Path(stage.agent_state()["transcript"])
    go.touch()
    assert wait_for_archive(stage) == end
    assert limit_reasons(stage) == events_of_it
    ends = [line for line in map(json.loads, transcript.read_text().splitlines()) if line["type"] == "turn_end"]
    assert [line["reason"] for line in ends] == ["interrupted"]
    wait_until(lambda: not is_enforced(stage.ref), what="the limit process has ended")


def test_readers_see_the_warning_and_the_end(stage: SessionHarness, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    stage.spawn(f"[wait {first}][usage 800 50][wait {second}][usage 200 50][think 60]", "--task-budget-tokens", "1000")
    running = stage.machine.start("session", "attach", "--session", stage.name, "--raw", "--no-history")
    assert json.loads(running.stdout.readline())["type"] == "session_status"
    first.touch()
    wait_until(lambda: limit_reasons(stage), what="the warning")
    second.touch()
    out, _ = running.communicate(timeout=30)
    frames = [json.loads(line) for line in out.splitlines()]
    notices = [frame["payload"] for frame in frames if frame["type"] == "system"]
    texts = {notice["subtype"]: notice["message"] for notice in notices}
    assert texts["budget_warning"] == "task_budget_tokens: 850 of 1000 tokens are used"
    assert texts["budget_exceeded"] == "task_budget_tokens: 1100 of 1000 tokens; the session ends"
    assert frames[-1]["type"] == "session_end"
    wait_for_archive(stage)
    recorded = [frame["payload"] for frame in stage.lisa("history").json["frames"]]
    assert [payload for payload in recorded if payload.get("subtype") in ("budget_warning", "budget_exceeded")] == [
        {"subtype": subtype, "message": texts[subtype]} for subtype in ("budget_warning", "budget_exceeded")
    ]


def test_a_lifetime_ends_a_command(stage: SessionHarness) -> None:
    answer = stage.lisa("spawn", "--command", "sleep 60", "--ttl-seconds", "2", "--max-turns", "3")
    assert answer.json["warnings"] == ["a command reports no turns and tokens: max_turns cannot be enforced"]
    assert wait_for_archive(stage) == ("max_duration_exceeded", "ttl_seconds")
    assert limit_reasons(stage) == [("budget_warning", "ttl_seconds"), ("max_duration_exceeded", "ttl_seconds")]


def test_one_shot_ends_after_the_first_turn(stage: SessionHarness) -> None:
    stage.spawn("[run echo tool][say answer]", "--one-shot")
    assert wait_for_archive(stage) == ("completed", "one_shot")
    assert limit_reasons(stage) == [("one_shot_completed", "one_shot")]


def test_one_shot_of_a_failed_turn_has_failed(stage: SessionHarness) -> None:
    stage.spawn("[error auth invalid key]", "--one-shot")
    assert wait_for_archive(stage) == ("failed", "one_shot")


def test_sessions_without_limits_have_no_limit_process(stage: SessionHarness) -> None:
    stage.spawn("[say hello]", "--no-one-shot")
    assert describe_limits(stage.ref) is None
    assert not [name for name in os.listdir(stage.ref.folder) if name.startswith("limit")]
    assert not is_enforced(stage.ref)


def test_a_killed_limit_process_is_replaced_and_counts_once(stage: SessionHarness, tmp_path: Path) -> None:
    stage.spawn("", "--max-turns", "9", "--task-budget-tokens", "1000")
    first = find_limit_pid(stage)
    wait_until(lambda: describe_limits(stage.ref) and is_enforced(stage.ref))
    assert stage.send("[usage 100 50][say x]").json["delivered"] is True
    wait_until(lambda: (now := describe_limits(stage.ref)) and now.turns == 2, what="the turn is counted")
    before = describe_limits(stage.ref)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not is_enforced(stage.ref), what="its loss is seen")
    second = wait_until(lambda: is_enforced(stage.ref) and (pid := find_limit_pid(stage)) != first and pid)
    assert second != first
    assert describe_limits(stage.ref) == before
    assert stage.send("[usage 800 40][say y]").json["delivered"] is True
    assert wait_for_archive(stage) == ("completed", "budget")


def test_the_limit_process_ends_with_its_session(stage: SessionHarness) -> None:
    stage.spawn("", "--max-turns", "9")
    wait_until(lambda: is_enforced(stage.ref), what="the limit process runs")
    meta = stage.ctx.read_meta(stage.ref)
    assert meta is not None
    os.kill(meta.pane_pid, signal.SIGKILL)
    wait_until(lambda: not is_enforced(stage.ref), what="the limit process has ended")


def test_a_model_without_price_is_refused(stage: SessionHarness, machine: LisaHost) -> None:
    words = ["--agent", "codex", "--model", "my-model", "--max-budget-usd", "1", "--dry-run"]
    answer = stage.lisa("spawn", *words)
    assert (answer.code, answer.json["errorCode"]) == (1, "price_unknown")
    prices = Path(machine.context().settings.state_dir, "prices.json")
    prices.parent.mkdir(exist_ok=True)
    prices.write_text('{"my-model": {"input": 1, "output": 2}}')
    assert stage.lisa("spawn", *words).code == 0
    prices.write_text("[]")
    assert stage.lisa("spawn", *words).json["errorCode"] == "invalid_prices"


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--max-turns", "0"], "invalid_max_turns"),
        (["--max-budget-usd", "0"], "invalid_max_budget_usd"),
        (["--max-budget-usd", "nan"], "invalid_max_budget_usd"),
        (["--task-budget-tokens", "-1"], "invalid_task_budget_tokens"),
        (["--ttl-seconds", "x"], "invalid_ttl_seconds"),
    ],
)
def test_values_out_of_range_are_refused(stage: SessionHarness, flags: list[str], code: str) -> None:
    answer = stage.lisa("spawn", "--agent", "scripted", *flags)
    assert answer.json["errorCode"] == code
    assert not Path(stage.ref.folder).exists()


def test_long_lifetime_is_limited(stage: SessionHarness) -> None:
    answer: Any = stage.lisa("spawn", "--command", "sleep 60", "--ttl-seconds", "90000")
    assert answer.json["warnings"] == ["ttl_seconds 90000 is over the maximum of 86400 (LISA_MAX_TTL_SECONDS)"]
    limits = describe_limits(stage.ref)
    assert limits is not None
    assert limits.ttl_seconds == 86_400
