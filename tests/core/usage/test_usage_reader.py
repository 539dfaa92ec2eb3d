"""core/usage/usage_reader: what a session used, by its agent's transcripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lisa_py import agents
from lisa_py.contract.records import SessionMeta
from lisa_py.core.planning import session_usage
from lisa_py.core.usage.usage_reader import UsageReader, read_usage
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import session_records, usage_state
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

START = 1_790_000_000.0


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    return SessionHarness(machine)


@pytest.fixture
def recorded(stage: SessionHarness) -> SessionHarness:
    """A session with records and without a pane."""
    files.ensure_private_dir(stage.ref.folder)
    meta = SessionMeta(session=stage.name, run_id="7", agent="claude", created_unix=START)
    session_records.write_meta(stage.ref, meta)
    return stage


def open_reader(stage: SessionHarness) -> UsageReader:
    reader = UsageReader(stage.ctx, stage.ref)
    reader.agent = agents.get("claude")
    return reader


def write_calls(path: Path, *calls: tuple[str, float, int, int], **more: Any) -> None:
    """Append model calls: id, seconds after the start, input and output tokens."""
    with path.open("a") as file:
        for name, at, read, written in calls:
            usage = {"input_tokens": read, "output_tokens": written, "cache_read_input_tokens": 1000}
            blocks = [{"type": "text", "text": "hello"}]
            message = {"id": name, "model": "claude-opus-5-5", "content": blocks, "usage": usage}
            stamp = format_rfc3339(START + at, fraction=True)
            file.write(json.dumps({"type": "assistant", "timestamp": stamp, "message": message, **more}) + "\n")


def test_usage_of_living_and_ended_sessions_adds_up(stage: SessionHarness) -> None:
    stage.spawn()
    for number in range(2):
        assert stage.send(f"[say answer {number}]").json["delivered"] is True
        stage.wait_for_state("idle")
    used = wait_until(lambda: (now := read_usage(stage.ctx, stage.ref)).turns == 2 and now)
    recorded = stage.transcript("usage")
    assert used.calls == len(recorded) >= 2
    assert used.tokens == used.input_tokens + used.output_tokens > 0
    assert used.seconds is not None
    stage.lisa("send", "--keys", "C-d")
    stage.wait_until_ended()
    after = read_usage(stage.ctx, stage.ref)
    assert (after.tokens, after.turns) == (used.tokens, used.turns)
    later = read_usage(stage.ctx, stage.ref)
    assert later.seconds == after.seconds


def test_custom_command_has_no_tokens(stage: SessionHarness) -> None:
    stage.run("sleep 60")
    used = read_usage(stage.ctx, stage.ref)
    assert (used.tokens, used.reason) == (None, "custom_command")
    answer = stage.lisa("budget-enforce", "--max-tokens", "1", "--max-seconds", "100").json
    assert (answer["ok"], answer["missingMetrics"]) == (True, ["tokens"])
    (report,) = session_usage.build_reports(stage.ctx, [stage.name], "")
    assert report.reading.steps is None


def test_budgets_use_the_reports_of_the_agent(stage: SessionHarness) -> None:
    stage.spawn("[say hello]")
    seen = wait_until(lambda: (now := stage.lisa("budget-observe").json)["observed"]["steps"] == 1 and now)
    assert seen["sources"] == [f"session:{stage.name}"]
    assert seen["observed"]["tokens"] == read_usage(stage.ctx, stage.ref).tokens
    assert stage.lisa("budget-enforce", "--max-tokens", "1").code == 1
    assert stage.lisa("budget-enforce", "--max-tokens", "1000000", "--max-steps", "1").code == 0


def test_each_byte_is_read_once(recorded: SessionHarness, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    write_calls(path, ("a", 1, 10, 1), ("a", 1, 10, 5), ("b", 2, 20, 2))
    first = open_reader(recorded)
    first.count([str(path)])
    used = first.summarize()
    assert (used.calls, used.input_tokens, used.output_tokens) == (2, 2030, 7)
    assert used.cache_read_tokens == used.cached_tokens == 2000
    assert used.cost_usd == pytest.approx((30 * 4 + 2000 * 0.2 + 7 * 20) / 1e6)
    assert used.estimated
    done = path.stat().st_size
    path.write_bytes(b"x" * (done - 1) + b"\n")  # what is counted is not read again
    write_calls(path, ("b", 2, 20, 9), ("c", 3, 30, 3))  # also a late record of a call
    second = open_reader(recorded)
    second.count([str(path)])
    used = second.summarize()
    assert (used.calls, used.input_tokens, used.output_tokens) == (3, 3060, 17)
    assert usage_state.read_state(recorded.ref, "7").transcripts[0].offset == path.stat().st_size


def test_several_conversations_and_subagents_add_up(recorded: SessionHarness, tmp_path: Path) -> None:
    first, second = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    helpers = tmp_path / "one" / "subagents"
    helpers.mkdir(parents=True)
    write_calls(first, ("a", 1, 10, 1))
    write_calls(helpers / "agent-1.jsonl", ("h", 2, 100, 10), isSidechain=True)
    write_calls(second, ("b", 3, 20, 2))
    reader = open_reader(recorded)
    reader.count([str(first), str(second)])
    used = reader.summarize()
    assert (used.calls, used.input_tokens, used.output_tokens) == (2, 3130, 13)


def test_copied_conversations_count_once(recorded: SessionHarness, tmp_path: Path) -> None:
    """A resumed conversation has calls of an earlier session, a branch those of its origin."""
    first, branch = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    write_calls(first, ("old", -5000, 999, 999), ("a", 1, 10, 1), ("b", 2, 10, 1))
    reader = open_reader(recorded)
    reader.count([str(first)])
    assert reader.summarize().calls == 2
    write_calls(branch, ("old", -5000, 999, 999), ("a", 1, 10, 1), ("b", 2, 10, 1), ("c", 9, 10, 1))
    reader.count([str(first), str(branch)])
    assert (reader.summarize().calls, reader.summarize().output_tokens) == (3, 3)


def test_clock_set_back_loses_no_call(recorded: SessionHarness, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    write_calls(path, ("a", 1, 10, 1), ("b", -90_000, 10, 1), ("c", -80_000, 10, 1))
    reader = open_reader(recorded)
    reader.count([str(path)])
    assert reader.summarize().calls == 3


def test_a_shortened_transcript_is_not_counted_twice(recorded: SessionHarness, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    write_calls(path, ("a", 1, 10, 1), ("b", 2, 10, 1), ("c", 3, 10, 1))
    reader = open_reader(recorded)
    reader.count([str(path)])
    path.unlink()
    write_calls(path, ("a", 1, 10, 1), ("d", 5, 10, 1))
    reader.count([str(path)])
    assert reader.summarize().calls == 4


def test_a_full_disk_keeps_the_count_in_memory(
    recorded: SessionHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.jsonl"
    reader = open_reader(recorded)
    write_calls(path, ("a", 1, 10, 1))
    with monkeypatch.context() as broken:
        broken.setattr(files, "write", fail_to_write)
        reader.count([str(path)])
        write_calls(path, ("b", 2, 10, 1))
        reader.count([str(path)])
    assert reader.summarize().calls == 2
    assert usage_state.read_state(recorded.ref, "7").calls == 0
    reader.count([str(path)])
    assert usage_state.read_state(recorded.ref, "7").calls == 2


def fail_to_write(path: str, *rest: object, **more: object) -> None:
    raise files.unwritable_error(path, OSError(28, "No space left on device"))


def test_unknown_models_leave_the_dollars_unknown(recorded: SessionHarness, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    write_calls(path, ("a", 1, 10, 1))
    path.write_text(path.read_text().replace("claude-opus-5-5", "my-model"))
    reader = open_reader(recorded)
    reader.count([str(path)])
    used = reader.summarize()
    assert (used.cost_usd, [each.model for each in used.models]) == (None, ["my-model"])
