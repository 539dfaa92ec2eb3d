"""Stop rules of a monitor and their exit codes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from lisa_py.commands.session import monitor, turn
from lisa_py.contract.errors import UsageError
from lisa_py.contract.status import SESSION_STATES, Signals, Status
from lisa_py.core.wait.stop_rules import Stop, StopRules, build_stop_rules, check_rules, find_stop, next_interval


def status(state: str, **more: Any) -> Status:
    return Status(session="lisa-x", session_state=state, status="idle", **more)


def decided(rules: StopRules, state: str, *, marker: bool = False, **more: Any) -> Stop | None:
    return find_stop(rules, status(state, **more), lambda: marker)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("completed", Stop("completed")),
        ("crashed", Stop("crashed", 2, "monitor_crashed")),
        ("stuck", Stop("stuck", 2, "monitor_stuck")),
        ("not_found", Stop("not_found", 2, "monitor_not_found")),
        ("waiting_input", Stop("waiting_input")),
        ("in_progress", None),
        ("just_started", None),
        ("degraded", None),
    ],
)
def test_each_state_ends_the_default_monitor_or_not(state: str, expected: Stop | None) -> None:
    assert decided(StopRules(), state) == expected


def test_waiting_does_not_stop_if_disabled() -> None:
    assert decided(StopRules(stop_on_waiting=False), "waiting_input") is None


def test_waiting_stops_only_after_a_required_complete_turn() -> None:
    rules = StopRules(waiting_requires_turn_complete=True)
    assert decided(rules, "waiting_input") is None
    done = Signals(transcript_turn_complete=True)
    assert decided(rules, "waiting_input", signals=done) == Stop("waiting_input_turn_complete")


@pytest.mark.parametrize("state", SESSION_STATES)
def test_requested_state_is_a_success(state: str) -> None:
    assert decided(StopRules(until_state=state), state) == Stop(state)


def test_rules_are_tried_in_the_order_of_the_contract() -> None:
    rules = check_rules(StopRules(until_state="crashed", until_marker="M"), path="sessionState=crashed")
    assert decided(rules, "crashed", marker=True) == Stop("crashed")
    rules = structs.replace(rules, until_state="completed")
    assert decided(rules, "crashed", marker=True) == Stop("jsonpath_matched")
    rules = structs.replace(rules, until_path=None)
    assert decided(rules, "crashed", marker=True) == Stop("marker_found")
    assert decided(rules, "crashed") == Stop("crashed", 2, "monitor_crashed")


def test_path_matches_the_json_status() -> None:
    rules = check_rules(StopRules(), path="status=completed")
    assert decided(rules, "completed") == Stop("jsonpath_matched")


@pytest.mark.parametrize(
    ("expect", "state", "marker", "reason"),
    [
        ("terminal", "waiting_input", False, "expected_terminal_got_waiting_input"),
        ("terminal", "in_progress", True, "expected_terminal_got_marker_found"),
        ("marker", "completed", False, "expected_marker_got_completed"),
        ("marker", "crashed", False, "expected_marker_got_crashed"),
        ("marker", "waiting_input", False, "expected_marker_got_waiting_input"),
    ],
)
def test_end_that_was_not_expected_is_a_failure(expect: str, state: str, marker: bool, reason: str) -> None:
    rules = StopRules(expect=expect, until_marker="M")
    assert decided(rules, state, marker=marker) == Stop(reason, 2, "monitor_expectation_mismatch")


def test_expected_end_keeps_its_own_exit() -> None:
    assert decided(StopRules(expect="terminal"), "crashed") == Stop("crashed", 2, "monitor_crashed")
    assert decided(StopRules(expect="marker", until_marker="M"), "in_progress", marker=True) == Stop("marker_found")


def test_adaptive_interval_grows_while_no_change_is_expected() -> None:
    for interval in (1, 5, 12, 30, 60):
        rules = StopRules(poll_interval=interval, adaptive=True)
        assert next_interval(rules, status("waiting_input")) >= interval
        stale = status("in_progress", heartbeat_age_seconds=60)
        assert next_interval(rules, stale) >= interval
        working = status("in_progress", signals=Signals(heartbeat_fresh=True))
        assert next_interval(rules, working) == max(1, interval // 2)
    assert next_interval(StopRules(poll_interval=30), status("waiting_input")) == 30


@pytest.mark.parametrize(
    ("rules", "path", "code"),
    [
        (StopRules(until_marker="  "), "", "invalid_until_marker"),
        (StopRules(expect="marker"), "", "expect_marker_requires_until_marker"),
        (StopRules(), "a..b", "invalid_until_jsonpath"),
        (StopRules(agent="gemini"), "", "invalid_agent_hint"),
    ],
)
def test_invalid_rules_are_refused(rules: StopRules, path: str, code: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_rules(rules, path=path)
    assert refused.value.code == code


@pytest.mark.parametrize("args", [monitor.Args(session="lisa-x"), turn.Args(session="lisa-x")], ids=["monitor", "turn"])
def test_waiting_commands_build_the_same_rules(args: monitor.Args | turn.Args) -> None:
    assert build_stop_rules(args, {"session"}) == StopRules(poll_interval=30, max_polls=120)
    args.timeout_seconds, args.recover_budget, args.until_state, args.agent = 9, 4, "crashed", " Claude "
    assert build_stop_rules(args, {"timeout_seconds"}) == StopRules(
        poll_interval=30, counts_polls=False, timeout_seconds=9, recover_budget=4, until_state="crashed", agent="claude"
    )
    assert build_stop_rules(args, {"timeout_seconds", "max_polls"}).counts_polls is True
    with pytest.raises(UsageError) as refused:
        build_stop_rules(args, {"until_marker"})
    assert refused.value.code == "invalid_until_marker"
