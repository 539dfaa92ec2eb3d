"""Deliver one text: paste it into the input box, submit it, and wait until the agent has accepted it."""

from __future__ import annotations

import contextlib

from msgspec import Struct

from lisa_py.agents.base import InputPlan
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.core.send import dialog, input_box, input_text
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
    """Type into the empty input box, submit and wait.

    Raise LisaError: session_not_found, agent_not_running, send_text_failed.
    """
    since = ctx.clock.now()
    plan = target.agent.prepare_input(text, target.build_view())
    type_text(target, text, plan)
    _press_submit(ctx, target, text, plan)
    if target.is_custom:
        return AcceptanceResult(verifiable=False)
    acceptance = _confirm_acceptance(ctx, target, text, since)
    if acceptance.source and not target.wait_until_cleared(text, CLEAR_SECONDS):
        _remove_accepted_text(ctx, target, text)
    return acceptance


def _remove_accepted_text(ctx: Context, target: SendTarget, text: str) -> None:
    """Remove an accepted text that the agent left in the input box: the next one would be added to it."""
    box = target.read_composer()
    if box is not None and box.kind == "holds" and target.draft_shows(box.text, text):
        with contextlib.suppress(LisaError):  # the text was accepted; the next sender looks again
            input_box.clear_input_box(ctx, target, box)


def type_text(target: SendTarget, text: str, plan: InputPlan | None = None) -> None:
    """Paste into the input box without submitting. Raise as `submit_text`."""
    plan = plan or target.agent.prepare_input(text, target.build_view())
    if plan.before_paste:
        target.press(plan.before_paste)
    _paste(target, plan.prefix + text)


def _paste(target: SendTarget, text: str) -> None:
    try:
        outcome = target.tmux.paste(target.pane_id, text.encode())
    except TmuxUnavailable as problem:
        if not target.is_custom and target.wait_until_shown(text, PASTE_VISIBLE_SECONDS):
            return  # pasted before the error
        raise LisaError(
            "send_text_failed", f"no sign that the text was typed to {target.ref.session}: {problem.message}"
        ) from problem
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
    if _is_lost(target):
        source = target.wait_for_acceptance(text, since, LOST_CHECK_SECONDS)
        target.refresh()
        if not source and _is_lost(target):
            type_text(target, text)
            _press_submit(ctx, target, text, InputPlan(wait_for_echo=True, settle_seconds=SETTLE_SECONDS))
            return AcceptanceResult(
                source=target.wait_for_acceptance(text, since, RETRY_CHECK_SECONDS + extra_seconds), helped="retyped"
            )
        return AcceptanceResult(source=source)
    if not target.input_contains(text):  # Enter would act on something else
        return AcceptanceResult(source=target.wait_for_acceptance(text, since, RETRY_CHECK_SECONDS + extra_seconds))
    target.press(("Enter",))
    return AcceptanceResult(
        source=target.wait_for_acceptance(text, since, RETRY_CHECK_SECONDS + extra_seconds), helped="second_enter"
    )


def _detect_command_effect(target: SendTarget) -> str:
    """Return the sign of a command that leaves no record: its menu is open, or the agent has ended."""
    target.refresh(screen=True)
    return target.status.state_source if dialog.has_dialog(target.status) or target.has_ended() else ""


def _is_lost(target: SendTarget) -> bool:
    """Return True if the agent is idle with an empty input box: a starting one may drop a paste."""
    box = target.read_composer()
    return target.is_idle() and box is not None and box.kind == "empty"
