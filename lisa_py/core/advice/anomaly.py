"""What is wrong with a session, by its state and its recent events; a session that works is left in peace."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from lisa_py.contract.records import Event
from lisa_py.contract.status import Status
from lisa_py.host.clock import unix_of

_SEVERITIES = ("high", "medium", "low")
_UNSETTLED = ("in_progress", "degraded")
_WORKING = ("starting", "thinking", "streaming", "tool")
LOOP = 6
"""Events in a row that say the same."""
LOOP_SECONDS = 60
"""A loop lasts; a burst of looks does not make one."""
_RECENT = 10
_DEGRADED_MANY = 3
_CHURN_MANY = 2


class Finding(Struct, frozen=True):
    """One thing that is wrong."""

    code: str
    severity: str
    count: int
    message: str
    recommendation: str


class History(Struct, frozen=True, kw_only=True):
    """The events of the session's present run, oldest first, and the moment they are looked at."""

    events: tuple[Event, ...]
    now: float


def history(events: Sequence[Event], now: float) -> History:
    """Of a log that may reach back to earlier sessions of the name."""
    births = [at for at, event in enumerate(events) if event.reason.startswith("spawn_")]
    own = events[births[-1] :] if births else events
    return History(events=tuple(event for event in own if event.type != "snapshot"), now=now)


def find(status: Status, past: History, stands_still: Callable[[], bool]) -> list[Finding]:
    """All findings, the most severe first. `stands_still` takes a second look, and is asked only on suspicion."""
    if status.session_state == "not_found":
        return [_finding("session_not_found", 1)]
    if not past.events and status.session_state in _UNSETTLED:
        return [_finding("no_events_observed", 1)]
    found = [
        *_loop(status, past, stands_still),
        *_counted("degraded_retries", _degraded(past), _DEGRADED_MANY),
        *_counted("expectation_churn", _churn(past), _CHURN_MANY),
        *_terminal(status),
        *_agent(status),
    ]
    return sorted(found, key=lambda finding: (_SEVERITIES.index(finding.severity), finding.code))


def _loop(status: Status, past: History, stands_still: Callable[[], bool]) -> list[Finding]:
    if status.session_state not in _UNSETTLED or status.agent_state in _WORKING:
        return []
    length, seconds = longest_run(past)
    if length < LOOP or seconds < LOOP_SECONDS or not stands_still():
        return []
    return [_finding("reason_loop", length)]


def longest_run(past: History) -> tuple[int, float]:
    """(how many events in a row give one reason, how long that has gone on)."""
    best, best_seconds = 0, 0.0
    start = 0
    for at, event in enumerate(past.events):
        if not event.reason or event.reason != past.events[start].reason:
            start = at
        length = at - start + 1
        if length >= best:
            last = at == len(past.events) - 1
            until = past.now if last else unix_of(past.events[at].at) or past.now
            best, best_seconds = length, until - (unix_of(past.events[start].at) or until)
    return best, best_seconds


def _counted(code: str, count: int, least: int) -> list[Finding]:
    return [_finding(code, count)] if count >= least else []


def _degraded(past: History) -> int:
    return sum(event.state == "degraded" for event in past.events[-_RECENT:])


def _churn(past: History) -> int:
    return sum("expected_" in event.reason or "expectation" in event.reason for event in past.events)


def _terminal(status: Status) -> list[Finding]:
    if status.session_state in ("stuck", "crashed"):
        return [_finding(f"terminal_{status.session_state}", 1)]
    return []


def _agent(status: Status) -> list[Finding]:
    """What a living agent says of its own trouble."""
    if status.session_state not in (*_UNSETTLED, "waiting_input"):
        return []
    code = {"error": "agent_error", "retrying": "agent_retrying"}.get(status.agent_state)
    if code is None:
        return []
    kind = status.error_kind or status.state_detail
    return [_finding(code, 1, f" ({kind})" if kind else "")]


_KNOWN = {
    "session_not_found": (
        "high",
        "tmux has no session of this name",
        "start it again, or look where it is: lisa session list --all-sockets",
    ),
    "no_events_observed": (
        "medium",
        "nothing was ever recorded of this session",
        "it may not be lisa's; look at it with lisa session explain",
    ),
    "reason_loop": (
        "high",
        "the same is reported again and again while the session neither prints nor computes",
        "ask it for its blocker, then wait for an answer",
    ),
    "degraded_retries": (
        "medium",
        "the session has been unreadable several times of late",
        "find out why tmux or the records could not be read: lisa session explain",
    ),
    "expectation_churn": (
        "medium",
        "waiting ended several times in a state other than the expected one",
        "wait with --expect any, then decide by the state",
    ),
    "terminal_stuck": ("high", "the session does nothing any more", "look into it, then start it again"),
    "terminal_crashed": ("high", "the agent has ended with an error", "read its last output, then start it again"),
    "agent_error": ("high", "the agent's last turn ended in an error", "read the error, then repeat the prompt"),
    "agent_retrying": ("medium", "the agent repeats a request that fails", "wait, or look at its last lines"),
}
"""Severity, message and recommendation of every code."""


def _finding(code: str, count: int, more: str = "") -> Finding:
    severity, message, recommendation = _KNOWN[code]
    return Finding(code, severity, count, message + more, recommendation)
