"""Answer a dialog from any surface: the one function in which all of them end."""

from __future__ import annotations

from msgspec import structs

from lisa_py.contract.dialogs import DecisionResult, DialogDecision
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.send import decision, dialog_list, send
from lisa_py.core.send.send import LOCK_SECONDS, SendPayload
from lisa_py.core.send.target import SendTarget
from lisa_py.store import session_records
from lisa_py.store.paths import SessionRef


def answer_dialog(ctx: Context, ref: SessionRef, dialog_id: str, given: DialogDecision) -> DecisionResult:
    """Decide one dialog of a session; the first decision counts, whatever surface it comes from.

    `dialog_id` is the id of a dialog of `dialog_list.list_dialogs` (or of a frame); empty: the only open one. It is
    given to the agent's waiting hook, or pressed on the screen where none waits.

    Raise LisaError: session_not_found, agent_not_running, no_dialog, several_dialogs, dialog_already_answered,
    answer_required, answer_missing, answer_not_offered, not_supported, send_keys_failed, tmux_unavailable.
    """
    target = SendTarget(ctx, ref)
    target.require_session()
    target.refresh()
    target.require_running()
    wanted = decision.select_dialog(_find_dialogs(ctx, target), target, dialog_id)  # bound before others get the lock
    wait_ms = int(LOCK_SECONDS * 1000)
    with session_records.session_lock(ref, ctx.settings, "input", timeout_ms=wait_ms, cancellation=ctx.cancellation):
        target.refresh()
        target.require_running()
        found = decision.select_dialog(_find_dialogs(ctx, target), target, wanted.dialog.id)
        prepared = decision.prepare(target, found, given)
        result = decision.decide_by_hook(ctx, target, found, prepared) if found.dialog.way == "hook" else None
        result = result or decision.decide_on_screen(ctx, target, found, prepared)
    if result.ok and result.way == "screen" and given.kind == "deny" and given.message:
        return _send_reason(ctx, ref, result, given.message)
    return result


def _find_dialogs(ctx: Context, target: SendTarget) -> tuple[dialog_list.FoundDialog, ...]:
    return dialog_list.find_dialogs(ctx, target.ref, target.evidence, target.status, choices=False)


def _send_reason(ctx: Context, ref: SessionRef, result: DecisionResult, message: str) -> DecisionResult:
    """Send the reason of a denial as the next prompt: a dialog on the screen takes none."""
    try:
        sent = send.send_payload(ctx, ref, SendPayload(text=message, enter=True))
    except LisaError as problem:
        notice = f"the reason was not sent: {problem.message}"
    else:
        notice = "the reason was sent as a prompt" if sent.ok else f"the reason was not taken: {sent.error}"
    return structs.replace(result, notices=(*(result.notices or ()), notice))


def describe_result(result: DecisionResult) -> str:
    """Return the result in one line for people."""
    if not result.ok:
        return str(result.error)
    done = decision.WORDS[result.decision] + (" (session)" if result.scope == "session" else "")
    chosen = f": {', '.join(result.answers.values())}" if result.answers else ""
    return "\n".join([f"ok: {done}{chosen}", *(result.notices or ())])


ERRORS = (
    "agent_not_running",
    "answer_not_offered",
    "answer_not_taken",
    "dialog_already_answered",
    "no_dialog",
    "not_supported",
    "send_keys_failed",
    "several_dialogs",
)
"""Error codes of the commands that decide a dialog."""
