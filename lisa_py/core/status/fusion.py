"""Combine the reports about a living agent into one, by the trust in each source."""

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
"""Lower is more trusted. A less trusted report may refine a more trusted one, never contradict it."""

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
"""The least specific state of a class; any other of the same class is more exact."""

ACCEPTANCE_SECONDS = 10.0
"""Seconds within which an agent begins after an input; later the input counts as not accepted."""
SETTLE_SECONDS = 1.0
"""Largest difference in seconds between different sources' times of the same change."""


class TurnBoundary(Struct, frozen=True):
    """The newest input that begins a turn; older idle reports do not answer it."""

    at: float = 0.0
    accepted_at: float = 0.0
    begun: bool = False
    """A later prompt hook, transcript record or work shows that the agent accepted it."""
    reports_acceptance: bool = False
    """The agent can confirm an accepted input."""


class FusionResult(Struct, frozen=True, kw_only=True):
    """The combined report."""

    state: AgentState
    waiting_for: WaitingFor = ""
    error: str = ""
    source: StateSource
    detail: str = ""
    at: float = 0.0
    pending: bool = False
    """The newest input is not confirmed yet."""
    not_accepted: bool = False
    """The newest input was not confirmed within the time limit."""
    begun: bool = True
    """The newest input was confirmed, or there was none."""

    @property
    def kind(self) -> str:
        return STATE_CLASSES.get(self.state, "")


def fuse(reports: Sequence[AgentReport], boundary: TurnBoundary, now: float) -> FusionResult | None:
    """Return the combined report, or None if no report has a known state."""
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
    """Return the most trusted report; of each source only the newest counts."""
    newest: dict[str, AgentReport] = {}
    for report in reports:
        held = newest.get(report.source)
        if held is None or _is_newer(report, held):
            newest[report.source] = report
    hook, transcript = newest.get("hook"), newest.get("transcript")
    if hook and transcript and _kind(hook) != _kind(transcript) and transcript.at > hook.at + SETTLE_SECONDS:
        del newest["hook"]  # an interrupt fires no hook, for example
    order = sorted(newest.values(), key=lambda report: TRUST[report.source])
    if not order:
        return None
    lead = order[0]
    if _kind(lead) == "resting" and not lead.at and boundary.at and now - boundary.at < ACCEPTANCE_SECONDS:
        ended_at = max((other.at for other in order[1:] if _kind(other) == "resting"), default=0.0)
        for other in order[1:]:
            if _kind(other) == "busy" and boundary.at <= other.at > ended_at and now - other.at < SETTLE_SECONDS:
                return other  # the turn has just begun, and the live report is late
    if lead.source == "activity":
        return _prefer_screen(lead, order)
    return lead


def _prefer_screen(lead: AgentReport, order: Sequence[AgentReport]) -> AgentReport:
    """Prefer a dialog on the screen: an idle process may be asking, a busy one may be drawing it."""
    screen = next((other for other in order if other.source == "screen"), None)
    if screen is None:
        return lead
    is_idle = _kind(lead) == "resting" and _kind(screen) != "busy"
    return screen if is_idle or _kind(screen) == "waiting" else lead


def _is_newer(report: AgentReport, held: AgentReport) -> bool:
    if report.at == held.at:  # of two reports of one moment, do not miss a dialog
        return _URGENCY.index(_kind(report)) < _URGENCY.index(_kind(held))
    if not report.at or not held.at:
        return not report.at
    return report.at > held.at


_URGENCY = ("waiting", "busy", "resting", "starting", "ended")


def _is_answer_to_input(lead: AgentReport, fresh: Sequence[AgentReport], boundary: TurnBoundary, now: float) -> bool:
    """Return True if an idle report follows the newest input instead of predating it."""
    if not boundary.at or boundary.begun or lead.state in ("error", "interrupted"):
        return True
    reads_terminal = lead.source == "activity" and lead.waiting_for == "prompt"
    if reads_terminal or (lead.source in ("activity", "screen") and not boundary.reports_acceptance):
        # a program that reads its terminal again has read the input; one that is only quiet may not have begun
        return now - boundary.at >= SETTLE_SECONDS
    # a starting agent reports idle after the time of its first prompt, before it begins the turn
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
    """Return the lead report, refined by less trusted reports of the same class."""
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
