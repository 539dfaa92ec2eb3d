"""Deliver one text: paste it into the input box, submit it, and wait until the agent has accepted it."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.agents.base import InputPlan
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.status import AgentReport
from lisa_py.core.context import Context
from lisa_py.core.send import dialog, input_text
from lisa_py.core.send.target import SendTarget

FIRST_CHECK_SECONDS = 0.8
"""Wait for a sign of acceptance; a text that is still in the input box then needs another Enter."""
SUBMITTED_CHECK_SECONDS = 1.5
"""Further wait if the text has left the input box."""
RETRY_CHECK_SECONDS = 4.0
"""Further wait after that."""
COMMAND_CHECK_SECONDS = 1.0
"""Wait for a sign of a slash command, which need not leave one."""
CLEAR_SECONDS = 1.0
"""Wait for an accepted text to leave the input box before the next sender gets its turn."""
PASTE_VISIBLE_SECONDS = 2.0
"""Wait for a pasted text to appear in the input box."""
LOST_CHECK_SECONDS = 1.0
"""Wait before a text counts as lost."""
SETTLE_SECONDS = 0.4
SECONDS_PER_MEGABYTE = 6.0


class AcceptanceResult(Struct, frozen=True, kw_only=True):
    """Result of delivering a text."""

    source: str = ""
    """The sign of acceptance; empty: none was seen."""
    helped: str = ""
    """Action besides one Enter: second_enter, or retyped if the input box had lost the text."""
    verifiable: bool = True
    """True if this agent gives a sign of acceptance."""


def submit_text(ctx: Context, target: SendTarget, text: str) -> AcceptanceResult:
    """Type, submit and wait. Raise LisaError: session_not_found, agent_not_running, send_text_failed."""
    since = ctx.clock.now()
    plan = _plan_input(target, text)
    type_text(target, text, plan)
    _press_submit(ctx, target, text, plan)
    if target.is_custom:
        return AcceptanceResult(verifiable=False)
    acceptance = _confirm_acceptance(ctx, target, text, since)
    if acceptance.source and not target.wait_until_cleared(text, CLEAR_SECONDS):
        _clear_input(target, text)
    return acceptance


def _clear_input(target: SendTarget, text: str) -> None:
    """Remove an accepted text that the agent left in the input box: the next one would be added to it."""
    target.refresh(screen=True)
    report = AgentReport(source="grace", state="interrupted")
    keys = target.agent.prepare_input("", target.build_view(), (report,)).clear_first
    if keys and not target.has_ended() and not dialog.has_dialog(target.status):
        target.press(keys)
        target.wait_until_cleared(text, CLEAR_SECONDS)


def type_text(target: SendTarget, text: str, plan: InputPlan | None = None) -> None:
    """Paste into the input box without submitting. Raise as `submit_text`."""
    plan = plan or _plan_input(target, text)
    if plan.clear_first and not target.evidence.state.draft:
        target.press(plan.clear_first)
    if plan.typed:
        target.press((plan.prefix + text.rstrip("\n"),), literal=True)
    else:
        _paste(target, plan.prefix + text)


def _plan_input(target: SendTarget, text: str) -> InputPlan:
    """Return the input plan of the agent file, which is given an interrupt by lisa if the agent shows no sign of it.

    A text still in the input box counts as an interrupt, too: the next text would be added to it.
    """
    interrupted = target.evidence.state.interrupted_at
    reports = target.evidence.reports
    if interrupted or _has_unsubmitted_text(target):
        target.refresh(screen=True)
        reports = (*reports, AgentReport(source="grace", state="interrupted", at=interrupted))
    return target.agent.prepare_input(text, target.build_view(), reports)


def _has_unsubmitted_text(target: SendTarget) -> bool:
    """Return True if the last text was pasted and not accepted: its sender was killed before Enter, or Enter failed."""
    state = target.evidence.state
    pending = state.last_input_text and not state.last_input_accepted_at and not state.draft
    return bool(pending) and target.input_contains(state.last_input_text)


def _paste(target: SendTarget, text: str) -> None:
    try:
        outcome = target.tmux.paste(target.pane_id, text.encode())
    except TmuxUnavailable as problem:
        raise LisaError("send_text_failed", f"the text was not typed: {problem.message}") from problem
    if outcome != "ok":
        raise target.build_gone_error(outcome)


def _press_submit(ctx: Context, target: SendTarget, text: str, plan: InputPlan) -> None:
    if plan.wait_for_echo:
        target.wait_until_shown(text, PASTE_VISIBLE_SECONDS)
    if plan.settle_seconds:
        ctx.clock.sleep(plan.settle_seconds)
    target.press((*plan.before_enter, plan.submit))


def _confirm_acceptance(ctx: Context, target: SendTarget, text: str, since: float) -> AcceptanceResult:
    """Wait for a sign; without one press Enter again, or type the whole text again if the box has lost it."""
    extra_seconds = SECONDS_PER_MEGABYTE * len(text) / 1e6
    if input_text.is_command(text):
        source = target.wait_for_acceptance(text, since, COMMAND_CHECK_SECONDS) or _detect_command_effect(target)
        return AcceptanceResult(source=source, verifiable=bool(source))
    source = target.wait_for_acceptance(text, since, FIRST_CHECK_SECONDS + extra_seconds)
    if not source and not target.input_contains(text):
        source = target.wait_for_acceptance(
            text, since, SUBMITTED_CHECK_SECONDS
        )  # it has left the box: the sign is on its way
    if source or not target.reports_acceptance:
        return AcceptanceResult(source=source, verifiable=target.reports_acceptance)
    target.refresh()
    if dialog.has_dialog(target.status):
        # Enter would answer the dialog; a new dialog means that the turn has begun
        return AcceptanceResult(source=target.status.state_source)
    if target.has_ended():
        return AcceptanceResult()
    if _is_lost(target, text):
        source = target.wait_for_acceptance(text, since, LOST_CHECK_SECONDS)
        target.refresh()
        if not source and _is_lost(target, text):
            type_text(target, text)
            _press_submit(ctx, target, text, InputPlan(wait_for_echo=True, settle_seconds=SETTLE_SECONDS))
            return AcceptanceResult(
                source=target.wait_for_acceptance(text, since, RETRY_CHECK_SECONDS + extra_seconds), helped="retyped"
            )
        return AcceptanceResult(source=source)
    target.press(("Enter",))
    return AcceptanceResult(
        source=target.wait_for_acceptance(text, since, RETRY_CHECK_SECONDS + extra_seconds), helped="second_enter"
    )


def _detect_command_effect(target: SendTarget) -> str:
    """Return the sign of a command that leaves no record: its menu is open, or the agent has ended."""
    target.refresh(screen=True)
    return target.status.state_source if dialog.has_dialog(target.status) or target.has_ended() else ""


def _is_lost(target: SendTarget, text: str) -> bool:
    """Return True if the text is neither in the input box nor at work: a starting agent may drop a paste."""
    return target.is_idle() and not target.input_contains(text)
