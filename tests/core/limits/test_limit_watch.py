"""core/limits/limit_watch: one check of a session, with a clock that is set and a disk that is full."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from lisa_py.contract.records import SessionMeta
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.limits import continuation
from lisa_py.core.limits.limit_watch import LimitWatch
from lisa_py.host import files
from lisa_py.host.clock import Clock
from lisa_py.store import dialogs, events, json_records, limit_records, outbox_records, session_records
from lisa_py.store.limit_records import LimitRecord
from tests.client_kit import TerminalProgram
from tests.lisa_host import LisaHost
from tests.polling import wait_until
from tests.session_harness import SessionHarness

CLAUDE_LIKE = """#!/bin/sh
case $1 in --version) echo '2.1.332 (Claude Code)'; exit ;; --help) echo '  --settings <file>  x'; exit ;; esac
"""


def set_clock(stage: SessionHarness) -> list[float]:
    """Set the clock back by a day; return the seconds that have passed beyond the real ones, to append to."""
    passed: list[float] = []
    real = Clock()
    stage.ctx.clock = Clock(now=lambda: real.now() - 86_400, monotonic=lambda: real.monotonic() + sum(passed))
    return passed


@pytest.fixture
def stage(machine: LisaHost) -> SessionHarness:
    harness = SessionHarness(machine)
    files.ensure_private_dir(harness.ref.folder)
    meta = SessionMeta(session=harness.name, run_id="7", custom_command=True, created_unix=Clock().now())
    session_records.write_meta(harness.ref, meta)
    return harness


def record_limits(stage: SessionHarness) -> LimitRecord:
    clock = Clock()
    record = limit_records.build_record(SessionSettings(ttl_seconds=60), "7", clock.now(), clock.monotonic())
    assert record is not None
    json_records.save(stage.ref.file(limit_records.FILE), record)
    return record


def warnings(stage: SessionHarness) -> list[str]:
    return [event.reason for event in events.read_tail(stage.ref, 10).events]


def test_lifetime_does_not_depend_on_clock_changes(stage: SessionHarness) -> None:
    passed = set_clock(stage)
    watch = LimitWatch(stage.ctx, stage.ref, record_limits(stage))
    assert watch.check() is None and warnings(stage) == []
    passed.append(50.0)
    assert watch.check() is None and warnings(stage) == ["budget_warning"]
    again = LimitWatch(stage.ctx, stage.ref, record_limits(stage))
    assert again.check() is None and warnings(stage) == ["budget_warning"]
    passed.append(20.0)
    reached = watch.check()
    assert reached is not None and reached.end_reason == "max_duration_exceeded"


def test_full_disk_does_not_remove_a_limit(stage: SessionHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = set_clock(stage)
    watch = LimitWatch(stage.ctx, stage.ref, record_limits(stage))

    def fail(path: str, *rest: object, **more: object) -> None:
        raise files.unwritable_error(path, OSError(28, "No space left on device"))

    monkeypatch.setattr(files, "write", fail)
    monkeypatch.setattr(files, "append", fail)
    passed.append(50.0)
    assert watch.check() is None
    passed.append(20.0)
    reached = watch.check()
    assert reached is not None and reached.limit == "ttl_seconds"
    assert not Path(stage.ref.folder, limit_records.PROGRESS_FILE).exists()


@pytest.mark.parametrize(("script", "reason"), [("", "startup_timeout"), ("cat '{screen}'", "")])
def test_agent_that_does_not_start_is_killed(machine: LisaHost, script: str, reason: str) -> None:
    screen = Path(__file__).parents[2] / "agents" / "panes" / "claude" / "dialog-trust.txt"
    machine.add_program("claude", f"{CLAUDE_LIKE}{script.format(screen=screen)}\nsleep 60\n")
    stage = SessionHarness(machine)
    assert stage.lisa("spawn", "--agent", "claude", "--ttl-seconds", "3000").code == 0
    passed: list[float] = []
    real = Clock()
    stage.ctx.clock = Clock(now=real.now, monotonic=lambda: real.monotonic() + sum(passed))
    limits = limit_records.read_limits(stage.ref)
    assert limits is not None
    watch = LimitWatch(stage.ctx, stage.ref, limits)
    wait_until(lambda: not script or "trust" in stage.screen(), what="the screen")
    passed.append(59.0 - (real.monotonic() - limits.started_monotonic))
    assert watch.check() is None
    passed.append(2.0)
    reached = watch.check()
    assert (reached.end_reason if reached is not None else "") == reason


@pytest.mark.parametrize("case", ["one-shot", "lasting", "shown", "attended"])
def test_dialog_without_an_answer_is_denied(machine: LisaHost, case: str) -> None:
    """After five minutes in a one-shot session; not in another one, or while somebody can answer."""
    stage = SessionHarness(machine)
    stage.spawn("[ask touch made] [say end]", "--one-shot" if case != "lasting" else "--max-turns=9")
    stage.wait_for_state("waiting")
    passed: list[float] = []
    real = Clock()
    stage.ctx.clock = Clock(now=real.now, monotonic=lambda: real.monotonic() + sum(passed))
    limits = limit_records.read_limits(stage.ref)
    assert limits is not None
    watch = LimitWatch(stage.ctx, stage.ref, limits)
    for seconds in (0.0, 280.0):
        passed.append(seconds)
        assert watch.check() is None and stage.transcript("tool_result") == []
    socket = stage.ref.project.socket
    with contextlib.ExitStack() as shown:
        if case == "shown":
            words = ["tmux", "-S", socket, "attach", "-t", stage.name]
            shown.enter_context(TerminalProgram(words, {**machine.env, "TERM": "xterm"}))
            wait_until(lambda: stage.ctx.server(stage.ref).count_clients(stage.name) == 1, what="a terminal")
        if case == "attended":
            shown.enter_context(session_records.attend(stage.ref))
        passed.append(21.0)
        assert watch.check() is None
        if case == "one-shot":
            wait_until(lambda: stage.transcript("tool_result"), what="the denial")
        results = [record["text"] for record in stage.transcript("tool_result")]
    assert results == (["no answer came within 5 minutes"] if case == "one-shot" else [])
    assert not (machine.project / "made").exists()
    if case == "one-shot":
        decided = dialogs.read_decision(stage.ref, dialogs.list_decided_keys(stage.ref)[0])
        assert decided is not None and (decided.kind, decided.by) == ("deny", "timeout")


def test_text_queued_during_off_is_withdrawn(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = SessionHarness(machine).spawn("[limit usage limit reached, try again in 3600 seconds]", ready=False)
    wait_until(lambda: stage.status().waiting_for == "limit", what="the limit")
    meta = session_records.read_meta(stage.ref)
    assert meta is not None
    record = LimitRecord(
        run_id=meta.run_id, started_at=meta.created_unix, started_monotonic=Clock().monotonic(), on_limit="wait"
    )
    json_records.save(stage.ref.file(limit_records.FILE), record)
    queue_text = continuation.queue_continuation

    def queue_late(*given: Any) -> Any:
        limit_records.set_on_limit(stage.ref, "", record)  # `off`, once this process has read the plan
        return queue_text(*given)

    monkeypatch.setattr(continuation, "queue_continuation", queue_late)
    watch = LimitWatch(stage.ctx, stage.ref, record)
    registry = outbox_records.registry(stage.ref)
    wait_until(lambda: watch.check() or registry.read().texts, what="the text")
    assert [each.state for each in registry.read().texts] == ["withdrawn"]
    assert "limit_wait" not in warnings(stage)
