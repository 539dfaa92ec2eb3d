"""What a living agent is doing, decided from the reports of all kinds of evidence by how far each can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.status import AgentReport, AgentState, StateSource, WaitingFor

TRUST: dict[str, int] = {
    "agent_file": 0,
    "title": 1,
    "hook": 2,
    "transcript": 3,
    "process": 4,
    "activity": 5,
    "screen": 6,
}
"""Lower is more trusted. A less trusted report may refine a more trusted one, never overturn it."""

STATE_CLASSES: dict[str, str] = {
    "starting": "starting",
    "thinking": "busy",
    "streaming": "busy",
    "tool": "busy",
    "retrying": "busy",
    "idle": "resting",
    "interrupted": "resting",
    "error": "resting",
    "waiting": "waiting",
    "exited": "ended",
    "killed": "ended",
    "gone": "ended",
}
GENERAL_STATES = ("thinking", "idle")
"""The word of a class that says least; any other of the same class says more."""

ACCEPTANCE_SECONDS = 10.0
"""Seconds an agent may take to be seen to begin after an input; then the input was not taken."""
SETTLE_SECONDS = 1.0
"""Seconds in which different kinds of evidence about the same moment may come apart."""


class TurnBoundary(Struct, frozen=True):
    """The newest input that is to begin a turn: older signs of rest are no answer to it."""

    at: float = 0.0
    accepted_at: float = 0.0
    begun: bool = False
    """Something dated after it shows that the agent took it: a prompt hook, a transcript record, a spell of work."""
    reports_acceptance: bool = False
    """The agent would show that it took it."""


class FusionResult(Struct, frozen=True, kw_only=True):
    """The one answer."""

    state: AgentState
    waiting_for: WaitingFor = ""
    error: str = ""
    source: StateSource
    detail: str = ""
    at: float = 0.0
    pending: bool = False
    """An input was given and nothing shows yet that the agent has begun on it."""
    not_accepted: bool = False
    """As pending, but for so long that the input was not taken."""
    begun: bool = True
    """Whether the newest input is seen to have been begun on (true when there was none)."""

    @property
    def kind(self) -> str:
        return STATE_CLASSES.get(self.state, "")


def fuse(reports: Sequence[AgentReport], boundary: TurnBoundary, now: float) -> FusionResult | None:
    """The agent's doing, or None when no report says anything."""
    known = [report for report in reports if report.state in STATE_CLASSES and report.source in TRUST]
    if not known:
        return None
    fresh = [report for report in known if not _is_outdated(report, boundary)]
    lead = _select_lead(fresh, boundary, now)
    if lead is None or (_kind(lead) in ("resting", "starting") and not _is_answer_to_input(lead, fresh, boundary, now)):
        return _make_pending_result(_select_lead(known, TurnBoundary(), now) or known[0], boundary, now)
    return _refine_lead(lead, fresh)


def _kind(report: AgentReport) -> str:
    return STATE_CLASSES[report.state]


def _is_outdated(report: AgentReport, boundary: TurnBoundary) -> bool:
    return bool(boundary.at and report.at and report.at < boundary.at)


def _select_lead(reports: Sequence[AgentReport], boundary: TurnBoundary, now: float) -> AgentReport | None:
    """The most trusted report, after the dated ones have settled among themselves which is the newest."""
    newest: dict[str, AgentReport] = {}
    for report in reports:
        held = newest.get(report.source)
        if held is None or _is_newer(report, held):
            newest[report.source] = report
    hook, transcript = newest.get("hook"), newest.get("transcript")
    if hook and transcript and _kind(hook) != _kind(transcript) and transcript.at > hook.at + SETTLE_SECONDS:
        del newest["hook"]  # an interrupt, for one, fires no hook
    order = sorted(newest.values(), key=lambda report: TRUST[report.source])
    if not order:
        return None
    lead = order[0]
    if _kind(lead) == "resting" and not lead.at and boundary.at and now - boundary.at < ACCEPTANCE_SECONDS:
        for other in order[1:]:
            if _kind(other) == "busy" and boundary.at <= other.at and now - other.at < SETTLE_SECONDS:
                return other  # the turn has just begun, and the live sign is a moment behind
    if lead.source == "activity":
        return _prefer_screen(lead, order)
    return lead


def _prefer_screen(lead: AgentReport, order: Sequence[AgentReport]) -> AgentReport:
    """A process that reads its terminal is at rest, or asks; one that computes may be drawing what it asks."""
    screen = next((other for other in order if other.source == "screen"), None)
    if screen is None:
        return lead
    is_idle = _kind(lead) == "resting" and _kind(screen) != "busy"
    return screen if is_idle or _kind(screen) == "waiting" else lead


def _is_newer(report: AgentReport, held: AgentReport) -> bool:
    if report.at == held.at:  # of two signs of one moment the one that wants somebody is not to be missed
        return _URGENCY.index(_kind(report)) < _URGENCY.index(_kind(held))
    if not report.at or not held.at:
        return not report.at
    return report.at > held.at


_URGENCY = ("waiting", "busy", "resting", "starting", "ended")


def _is_answer_to_input(lead: AgentReport, fresh: Sequence[AgentReport], boundary: TurnBoundary, now: float) -> bool:
    """Whether rest is an answer to the newest input, and not the rest from before it."""
    if not boundary.at or boundary.begun or lead.state in ("error", "interrupted"):
        return True
    reads_terminal = lead.source == "activity" and lead.waiting_for == "prompt"
    if reads_terminal or (lead.source in ("activity", "screen") and not boundary.reports_acceptance):
        # who reads its terminal again has taken what was typed; who only looks quiet may still be about to begin
        return now - boundary.at >= SETTLE_SECONDS
    # an agent that has just started reports rest, dated after the prompt it was started with: that is no answer yet
    if any(report.at and _kind(report) in ("busy", "waiting") for report in fresh):
        return True
    return boundary.accepted_at >= boundary.at and now - boundary.accepted_at >= SETTLE_SECONDS


def _make_pending_result(before: AgentReport, boundary: TurnBoundary, now: float) -> FusionResult:
    since = max(boundary.at, boundary.accepted_at)
    late = now - since >= ACCEPTANCE_SECONDS
    return FusionResult(
        state=before.state,
        waiting_for=before.waiting_for,
        error=before.error,
        source=before.source,
        detail=before.detail,
        at=before.at,
        pending=not late,
        not_accepted=late,
        begun=False,
    )


def _refine_lead(lead: AgentReport, fresh: Sequence[AgentReport]) -> FusionResult:
    """The lead with what less trusted reports of the same class know more exactly."""
    same = sorted(
        (report for report in fresh if _kind(report) == _kind(lead) and TRUST[report.source] > TRUST[lead.source]),
        key=lambda report: (TRUST[report.source], -report.at),
    )
    state, error, detail, waiting_for = lead.state, lead.error, lead.detail, lead.waiting_for
    for report in same:
        if state in GENERAL_STATES and report.state not in GENERAL_STATES:
            state, detail = report.state, report.detail or detail
            error = error or report.error
        elif report.state == state:
            error = error or report.error
            detail = detail or report.detail
        if waiting_for in ("", "dialog") and report.waiting_for:
            waiting_for, detail = report.waiting_for, report.detail or detail
    return FusionResult(
        state=state, waiting_for=waiting_for, error=error, source=lead.source, detail=detail, at=lead.at
    )
