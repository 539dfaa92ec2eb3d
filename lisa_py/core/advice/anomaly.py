"""Detect problems of a session from its state and recent events."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from lisa_py.contract.records import Event
from lisa_py.contract.status import Status
from lisa_py.host.clock import parse_time

_SEVERITIES = ("high", "medium", "low")
_UNFINISHED = ("in_progress", "degraded")
_WORKING = ("starting", "thinking", "streaming", "tool")
LOOP_EVENTS = 6
"""Number of consecutive equal events."""
LOOP_SECONDS = 60
"""Minimum duration in seconds; a burst of reads is not a loop."""
_RECENT_EVENTS = 10
_DEGRADED_LIMIT = 3
_CHURN_LIMIT = 2


class AnomalyFinding(Struct, frozen=True):
    """One detected problem."""

    code: str
    severity: str
    count: int
    message: str
    recommendation: str


class RunHistory(Struct, frozen=True, kw_only=True):
    """Events of the current run of the session, oldest first, and the time of the check."""

    events: tuple[Event, ...]
    now: float


def build_history(events: Sequence[Event], now: float) -> RunHistory:
    """Select the events of the current run from a log that may include earlier sessions of the name."""
    spawn_indexes = [at for at, event in enumerate(events) if event.reason.startswith("spawn_")]
    own = events[spawn_indexes[-1] :] if spawn_indexes else events
    return RunHistory(events=tuple(event for event in own if event.type != "snapshot"), now=now)


def find_anomalies(status: Status, past: RunHistory, is_stalled: Callable[[], bool]) -> list[AnomalyFinding]:
    """Return all findings, most severe first. `is_stalled` reads the session again, only on suspicion."""
    if status.session_state == "not_found":
        return [_make_finding("session_not_found", 1)]
    if not past.events and status.session_state in _UNFINISHED:
        return [_make_finding("no_events_observed", 1)]
    found = [
        *_find_loop(status, past, is_stalled),
        *_find_repeated("degraded_retries", _count_degraded(past), _DEGRADED_LIMIT),
        *_find_repeated("expectation_churn", _count_expectation_changes(past), _CHURN_LIMIT),
        *_find_terminal_state(status),
        *_find_agent_error(status),
    ]
    return sorted(found, key=lambda finding: (_SEVERITIES.index(finding.severity), finding.code))


def _find_loop(status: Status, past: RunHistory, is_stalled: Callable[[], bool]) -> list[AnomalyFinding]:
    if status.session_state not in _UNFINISHED or status.agent_state in _WORKING:
        return []
    length, seconds = find_longest_run(past)
    if length < LOOP_EVENTS or seconds < LOOP_SECONDS or not is_stalled():
        return []
    return [_make_finding("reason_loop", length)]


def find_longest_run(past: RunHistory) -> tuple[int, float]:
    """Return (number of consecutive events with the same reason, their duration)."""
    best, best_seconds = 0, 0.0
    start = 0
    for at, event in enumerate(past.events):
        if not event.reason or event.reason != past.events[start].reason:
            start = at
        length = at - start + 1
        if length >= best:
            last = at == len(past.events) - 1
            until = past.now if last else parse_time(past.events[at].at) or past.now
            best, best_seconds = length, until - (parse_time(past.events[start].at) or until)
    return best, best_seconds


def _find_repeated(code: str, count: int, minimum: int) -> list[AnomalyFinding]:
    return [_make_finding(code, count)] if count >= minimum else []


def _count_degraded(past: RunHistory) -> int:
    return sum(event.state == "degraded" for event in past.events[-_RECENT_EVENTS:])


def _count_expectation_changes(past: RunHistory) -> int:
    return sum("expected_" in event.reason or "expectation" in event.reason for event in past.events)


def _find_terminal_state(status: Status) -> list[AnomalyFinding]:
    if status.session_state in ("stuck", "crashed"):
        return [_make_finding(f"terminal_{status.session_state}", 1)]
    return []


def _find_agent_error(status: Status) -> list[AnomalyFinding]:
    """Return the problems that a live agent reports itself."""
    if status.session_state not in (*_UNFINISHED, "waiting_input"):
        return []
    code = {"error": "agent_error", "retrying": "agent_retrying"}.get(status.agent_state)
    if code is None:
        return []
    kind = status.error_kind or status.state_detail
    return [_make_finding(code, 1, f" ({kind})" if kind else "")]


_DESCRIPTIONS = {
    "session_not_found": (
        "high",
        "tmux has no session of this name",
        "start it again, or find it: lisa session list --all-sockets",
    ),
    "no_events_observed": (
        "medium",
        "this session has no recorded events",
        "it may not belong to lisa; see lisa session explain",
    ),
    "reason_loop": (
        "high",
        "the same event repeats while the session neither prints nor computes",
        "send a prompt that requests the blocker, then wait for the reply",
    ),
    "degraded_retries": (
        "medium",
        "the session was unreadable several times recently",
        "find the cause of unreadable tmux or records: lisa session explain",
    ),
    "expectation_churn": (
        "medium",
        "waiting ended several times in a state other than the expected one",
        "wait with --expect any, then decide by the state",
    ),
    "terminal_stuck": ("high", "the session shows no activity", "diagnose it, then start it again"),
    "terminal_crashed": ("high", "the agent has ended with an error", "read its last output, then start it again"),
    "agent_error": ("high", "the agent's last turn ended in an error", "read the error, then repeat the prompt"),
    "agent_retrying": ("medium", "the agent repeats a request that fails", "wait, or read its last lines"),
}
"""Severity, message and recommendation of every code."""


def _make_finding(code: str, count: int, suffix: str = "") -> AnomalyFinding:
    severity, message, recommendation = _DESCRIPTIONS[code]
    return AnomalyFinding(code, severity, count, message + suffix, recommendation)
