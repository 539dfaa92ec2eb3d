"""Deliver one text: paste it into the input box, submit it, and wait until the agent has accepted it."""

from __future__ import annotations

import contextlib

from msgspec import Struct, structs

from lisa_py.agents.base import Acceptance, InputPlan
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.core.send import input_box, input_text, open_dialog
from lisa_py.core.send.target import SendTarget
from lisa_py.host import files

FIRST_CHECK_SECONDS = 0.8
"""Wait for a sign of acceptance; a text that is still in the input box then needs another Enter."""
SUBMITTED_CHECK_SECONDS = 1.5
"""Further wait if the text has left the input box."""
RETRY_CHECK_SECONDS = 4.0
"""Further wait after that."""
COMMAND_CHECK_SECONDS = 1.0
"""Wait for a sign of a slash command, which need not leave one."""
HOOK_SECONDS = 60.0
"""Wait for the user's own prompt hooks, the longest that claude (2.1.332) gives them."""
UNRECORDED_SECONDS = 5.0
"""The same in a conversation without a transcript, which can never show their result."""
EXIT_SECONDS = 8.0
"""Wait for the end of an agent after a text that ends it."""
REFUSAL_CHECK_SECONDS = 0.5
"""Wait for the refusal of a command that the agent has read; claude (2.1.197, 2.1.332) writes it after 0.1 s."""
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

    seen: Acceptance = Acceptance()
    """Evidence of the agent; its source is empty without a sign of acceptance."""
    helped: str = ""
    """Action besides one Enter: second_enter, or retyped if the input box had lost the text."""
    verifiable: bool = True
    """True if this agent gives a sign of acceptance."""
    ended: bool = False
    """The text ended the agent."""

    @property
    def is_accepted(self) -> bool:
        """True if the agent has accepted the text, and nothing but the text."""
        return bool(self.seen.source and self.verifiable and not self.seen.refusal and not self.seen.joined_with)


def submit_text(ctx: Context, target: SendTarget, text: str) -> AcceptanceResult:
    """Type into the empty input box, submit and wait.

    Raise LisaError: session_not_found, agent_not_running, agent_waiting_dialog, send_text_failed.
    """
    since = ctx.clock.now()
    plan = target.agent.prepare_input(text, target.build_view())
    draft = read_own_draft(target)
    type_text(target, text, plan)
    text = draft + text
    _press_submit(ctx, target, text, plan)
    if target.is_custom:
        return AcceptanceResult(verifiable=False)
    acceptance = _confirm_acceptance(ctx, target, text, since, plan)
    if (
        text.strip() in target.agent.exit_inputs
        and not acceptance.seen.refusal
        and target.wait_until_ended(EXIT_SECONDS)
    ):
        return AcceptanceResult(seen=Acceptance(source="end_record"), ended=True)
    taken = acceptance.seen.source or acceptance.seen.refusal or acceptance.seen.joined_with
    if taken and not target.wait_until_cleared(text, CLEAR_SECONDS):
        _remove_accepted_text(ctx, target, text)
    return acceptance


def read_own_draft(target: SendTarget) -> str:
    """Return the text that lisa typed earlier without Enter, if it is still in the input box."""
    draft = target.evidence.state.draft_text
    box = target.read_composer() if draft else None
    return "" if box is not None and box.kind == "empty" else draft


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
    target.refuse_new_dialog()
    target.press((*plan.before_enter, plan.submit))


def _confirm_acceptance(ctx: Context, target: SendTarget, text: str, since: float, plan: InputPlan) -> AcceptanceResult:
    """Wait for a sign; without one press Enter again, or type the whole text again if the box has lost it."""
    extra_seconds = SECONDS_PER_MEGABYTE * len(text) / 1e6
    if input_text.is_command(text):
        return _confirm_command(target, text, since)
    seen = target.wait_for_acceptance(text, since, FIRST_CHECK_SECONDS + extra_seconds)
    if not _is_known(seen) and not target.input_contains(text):
        # it has left the box: the sign is on its way
        seen = target.wait_for_acceptance(text, since, SUBMITTED_CHECK_SECONDS)
    if _is_known(seen) or not target.evidence.reports_acceptance:
        return _conclude(ctx, target, text, since, seen)
    target.refresh(screen=text.startswith("/"))
    if open_dialog.has_dialog(target.status):
        # Enter would answer the dialog; a new dialog means that the turn has begun
        return AcceptanceResult(seen=Acceptance(source=target.status.state_source))
    if target.has_ended():
        return AcceptanceResult()
    seen = target.find_acceptance(text, since)
    if seen.refusal:
        return _conclude(ctx, target, text, since, seen)
    if _is_lost(target):
        seen = target.wait_for_acceptance(text, since, LOST_CHECK_SECONDS)
        target.refresh()
        if _is_known(seen) or not _is_lost(target):
            return _conclude(ctx, target, text, since, seen)
        type_text(target, text, plan)
        _press_submit(ctx, target, text, structs.replace(plan, wait_for_echo=True, settle_seconds=SETTLE_SECONDS))
        helped = "retyped"
    elif target.input_contains(text):
        target.press((*plan.before_enter, plan.submit))  # the first keys may be lost as well
        helped = "second_enter"
    else:
        helped = ""  # Enter would act on something else
    seen = target.wait_for_acceptance(text, since, RETRY_CHECK_SECONDS + extra_seconds)
    return structs.replace(_conclude(ctx, target, text, since, seen), helped=helped)


def _is_known(seen: Acceptance) -> bool:
    return bool(seen.source or seen.refusal or seen.joined_with)


def _conclude(ctx: Context, target: SendTarget, text: str, since: float, seen: Acceptance) -> AcceptanceResult:
    """Wait for the hooks of the user, which may still refuse a text that the agent has read."""
    if seen.source and seen.provisional:
        records = target.evidence.binding.transcript and files.size(target.evidence.binding.transcript) > 0
        seconds = HOOK_SECONDS if records else UNRECORDED_SECONDS
        seen = target.wait_for_acceptance(text, since, seconds, final=True)
        if not seen.is_final and records and not target.has_ended():
            return AcceptanceResult(seen=seen, verifiable=False)
    deadline = ctx.clock.monotonic() + REFUSAL_CHECK_SECONDS
    while seen.refusal and not seen.reason and ctx.clock.monotonic() < deadline:
        target.refresh(screen=True)  # the words may be on the screen alone, a little later
        seen = target.find_acceptance(text, since)
    return AcceptanceResult(seen=seen, verifiable=target.evidence.reports_acceptance or bool(seen.joined_with))


def _confirm_command(target: SendTarget, text: str, since: float) -> AcceptanceResult:
    """Wait for the sign of a command, or for the agent's word that it has none of this name."""
    seen = target.wait_for_acceptance(text, since, COMMAND_CHECK_SECONDS)
    if seen.provisional:
        later = target.wait_for_acceptance(text, since, REFUSAL_CHECK_SECONDS, final=True)
        seen = later if _is_known(later) else seen
    if not seen.is_final:
        effect = _detect_command_effect(target)
        later = target.find_acceptance(text, since)  # with the screen
        seen = later if later.refusal else Acceptance(source=seen.source or effect)
    return AcceptanceResult(seen=seen, verifiable=_is_known(seen))


def _detect_command_effect(target: SendTarget) -> str:
    """Return the sign of a command that leaves no record: its menu is open, or the agent has ended."""
    target.refresh(screen=True)
    return target.status.state_source if open_dialog.has_dialog(target.status) or target.has_ended() else ""


def _is_lost(target: SendTarget) -> bool:
    """Return True if the agent is idle with an empty input box: a starting one may drop a paste."""
    box = target.read_composer()
    return target.is_idle() and box is not None and box.kind == "empty"
