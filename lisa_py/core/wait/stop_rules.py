"""Decide by ordered rules when a monitor stops, and with which exit code."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

import msgspec
from msgspec import Struct, structs

from lisa_py import agents
from lisa_py.contract.errors import UsageError
from lisa_py.contract.status import TERMINAL_STATES, Status
from lisa_py.core.status.status_reader import normalise_status
from lisa_py.core.wait import jsonpath
from lisa_py.core.wait.jsonpath import JsonPath

ACCEPTED_REASONS = {"terminal": frozenset(TERMINAL_STATES), "marker": frozenset(("marker_found",))}


class StopRules(Struct, frozen=True, kw_only=True):
    """Stop conditions and limits of a monitor."""

    poll_interval: float = 30.0
    max_polls: int = 120
    counts_polls: bool = True
    """False: only the time is limited (a timeout without an explicit number of polls)."""
    timeout_seconds: float = 0.0
    """0: limited only by max_polls times poll_interval."""
    adaptive: bool = False
    stop_on_waiting: bool = True
    waiting_requires_turn_complete: bool = False
    until_marker: str = ""
    until_state: str = ""
    until_path: JsonPath | None = None
    expect: str = "any"
    auto_recover: bool = False
    recover_max: int = 1
    recover_budget: int = 0
    """Polls over all rounds; 0: no limit."""
    stop_at_limit: bool = False
    """Stop at a usage limit with its own reason."""
    limit_until: float = 0.0
    """Unix time until which a usage limit is waited for."""
    agent: str = "auto"
    mode: str = "auto"


class StopRuleFlags(Protocol):
    """Flags of a command that waits."""

    poll_interval: int
    max_polls: int
    timeout_seconds: int | None
    stop_on_waiting: bool
    waiting_requires_turn_complete: bool
    until_marker: str
    until_state: str
    until_jsonpath: str
    expect: str
    auto_recover: bool
    recover_max: int
    recover_budget: int | None
    agent: str
    mode: str


def build_stop_rules(flags: StopRuleFlags, given: Collection[str]) -> StopRules:
    """Build the rules from a command's flags; `given` are the names of those the user wrote.

    Raise UsageError for invalid values and combinations.
    """
    if "until_marker" in given and not flags.until_marker:
        raise UsageError("invalid_until_marker", "invalid --until-marker: it is empty (expected a text)")
    rules = StopRules(
        poll_interval=flags.poll_interval,
        max_polls=flags.max_polls,
        counts_polls=flags.timeout_seconds is None or "max_polls" in given,
        timeout_seconds=flags.timeout_seconds or 0,
        stop_on_waiting=flags.stop_on_waiting,
        waiting_requires_turn_complete=flags.waiting_requires_turn_complete,
        until_marker=flags.until_marker,
        until_state=flags.until_state,
        expect=flags.expect,
        auto_recover=flags.auto_recover,
        recover_max=flags.recover_max,
        recover_budget=flags.recover_budget or 0,
        agent=flags.agent,
        mode=flags.mode,
    )
    if "until_jsonpath" in given and not flags.until_jsonpath:
        raise UsageError("invalid_until_jsonpath", "invalid --until-jsonpath: expression cannot be empty")
    return check_rules(rules, path=flags.until_jsonpath)


ERRORS = (
    "invalid_until_marker",
    "invalid_until_jsonpath",
    "expect_marker_requires_until_marker",
)
"""Error codes of the unchecked flags and their combinations."""


def check_rules(rules: StopRules, *, path: str = "") -> StopRules:
    """Return the rules with a parsed `--until-jsonpath`.

    Raise UsageError for invalid values and combinations.
    """
    if rules.until_marker and not rules.until_marker.strip():
        raise UsageError("invalid_until_marker", "invalid --until-marker: it is blank (expected a text)")
    if rules.expect == "marker" and not rules.until_marker:
        raise UsageError("expect_marker_requires_until_marker", "--expect marker requires --until-marker")
    found = None
    if path:
        try:
            found = jsonpath.parse(path)
        except ValueError as problem:
            raise UsageError("invalid_until_jsonpath", f"invalid --until-jsonpath: {problem}") from None
    return structs.replace(rules, until_path=found, agent=agents.parse_agent_hint(rules.agent))


class Stop(Struct, frozen=True):
    """Reason and exit code of a stop."""

    reason: str
    exit_code: int = 0
    code: str = ""


def find_stop(rules: StopRules, status: Status, marker_found: Callable[[], bool]) -> Stop | None:
    """Return the first rule that is met; None: continue."""
    found = _find_met_rule(rules, status, marker_found)
    accepted = ACCEPTED_REASONS.get(rules.expect)
    if found is None or accepted is None or found.reason in (*accepted, "usage_limit"):
        return found
    return Stop(f"expected_{rules.expect}_got_{found.reason}", 2, "monitor_expectation_mismatch")


def _find_met_rule(rules: StopRules, status: Status, marker_found: Callable[[], bool]) -> Stop | None:
    state = status.session_state
    if rules.until_state == state:
        return Stop(state)
    if rules.until_path is not None and rules.until_path.matches(status_payload(status)):
        return Stop("jsonpath_matched")
    if rules.until_marker and marker_found():
        return Stop("marker_found")
    if state == "completed":
        return Stop(state)
    if state in TERMINAL_STATES:
        return Stop(state, 2, f"monitor_{state}")
    if status.waiting_for == "limit" and rules.stop_at_limit:
        return Stop("usage_limit", 2, "usage_limit_reached")
    if state == "waiting_input" and rules.stop_on_waiting:
        if not rules.waiting_requires_turn_complete:
            return Stop("waiting_input")
        if status.signals.transcript_turn_complete:
            return Stop("waiting_input_turn_complete")
    return None


def status_payload(status: Status) -> Any:
    """Return the status as `session status --json` shows it."""
    return msgspec.to_builtins(normalise_status(status))


def next_interval(rules: StopRules, status: Status) -> float:
    """Return the seconds to the next reported poll; adaptive intervals grow while no change is expected."""
    base = max(1.0, rules.poll_interval)
    if not rules.adaptive:
        return base
    slower = max(base, min(2 * base, 12.0))
    if status.session_state == "waiting_input":
        return slower
    if status.signals.heartbeat_fresh and status.session_state in ("in_progress", "degraded"):
        return max(1.0, base // 2)
    stale = status.heartbeat_age_seconds >= 3 * status.heartbeat_fresh_seconds
    return slower if stale else base
