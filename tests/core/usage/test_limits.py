"""core/usage/limits: the use of each limit, and the end at it."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.usage.limits import compare, describe_limits, is_lost
from lisa_py.core.usage.usage_reader import ModelUsage, SessionUsage
from lisa_py.store import limit_records, session_records
from lisa_py.store.limit_records import LimitRecord, build_record
from tests.lisa_host import LisaHost

USED = SessionUsage(tokens=800, cost_usd=0.4, estimated=True, calls=4, turns=1)


def limits(**given: float | bool) -> LimitRecord:
    record = build_record(SessionSettings(**given), "7", 0.0, 0.0)
    assert record is not None
    return record


@pytest.mark.parametrize(
    ("given", "share", "message", "end"),
    [
        ({"max_turns": 5}, 0.8, "4 of 5 turns", ("completed", "max_turns", "max_turns_reached")),
        ({"task_budget_tokens": 800}, 1.0, "800 of 800 tokens", ("completed", "budget", "budget_exceeded")),
        (
            {"max_budget_usd": 0.5},
            0.8,
            "0.4000 of 0.5 dollars (estimated)",
            ("completed", "budget", "budget_exceeded"),
        ),
        (
            {"ttl_seconds": 60},
            0.5,
            "30 of 60 seconds",
            ("max_duration_exceeded", "ttl_seconds", "max_duration_exceeded"),
        ),
    ],
)
def test_each_limit_has_its_share_and_its_end(
    given: dict[str, float], share: float, message: str, end: tuple[str, str, str]
) -> None:
    (use,) = compare(limits(**given), USED, 30.0)
    assert (use.share, use.message) == (pytest.approx(share), message)
    assert (use.end_reason, use.end_detail, use.subtype) == end
    assert use.is_reached == (share >= 1.0)


def test_sessions_without_limits_have_no_record() -> None:
    assert build_record(SessionSettings(one_shot=False), "7", 0.0, 0.0) is None


def test_turns_count_also_where_an_agent_reports_no_calls() -> None:
    (use,) = compare(limits(max_turns=3), SessionUsage(tokens=0, calls=0, turns=3), 0.0)
    assert use.is_reached


def test_a_model_without_price_ends_a_dollar_limit() -> None:
    model = ModelUsage(
        model="mine",
        provider="",
        input_tokens=1,
        output_tokens=1,
        cache_read_tokens=0,
        cache_write_tokens=0,
        cost_usd=None,
    )
    (use,) = compare(limits(max_budget_usd=1.0), SessionUsage(tokens=2, models=(model,)), 0.0)
    assert (use.is_reached, use.end_reason, use.end_detail) == (True, "failed", "price_unknown")
    assert "mine" in use.message


@pytest.mark.parametrize(
    ("age", "file", "lost"),
    [(0, "", False), (29, "", False), (31, "", True), (0, "limits.pid", True), (0, "limits_error.txt", True)],
)
def test_starting_limit_process_is_found(machine: LisaHost, age: float, file: str, lost: bool) -> None:
    ref = machine.context().ref("lisa-a")
    Path(ref.folder).mkdir(parents=True)
    assert not is_lost(ref)
    record = LimitRecord(run_id="1", started_at=0, started_monotonic=time.monotonic() - age, max_turns=3)
    Path(ref.file(limit_records.FILE)).write_bytes(msgspec.json.encode(record))
    if file:
        Path(ref.file(file)).write_text("7\n")
    shown = describe_limits(ref)
    assert shown is not None and (is_lost(ref), shown.enforced) == (lost, not lost)


def test_running_limit_process_is_found(machine: LisaHost) -> None:
    ctx = machine.context()
    ref = ctx.ref("lisa-a")
    Path(ref.folder).mkdir(parents=True)
    record = LimitRecord(run_id="1", started_at=0, started_monotonic=0, max_turns=3)
    Path(ref.file(limit_records.FILE)).write_bytes(msgspec.json.encode(record))
    Path(ref.file(limit_records.PID_FILE)).write_text("7\n")
    assert is_lost(ref)
    with session_records.session_lock(ref, ctx.settings, limit_records.LOCK):
        assert not is_lost(ref)
    assert is_lost(ref)
