"""Send what a person typed at an attached session."""

from __future__ import annotations

from lisa_py.contract.dialogs import DialogDecision
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.live.typed_lines import SCREEN_DIALOG, TypedAnswer
from lisa_py.core.send import answer, interrupt, send
from lisa_py.core.send.send import SendPayload
from lisa_py.store.paths import SessionRef


def send_prompt(ctx: Context, ref: SessionRef, text: str) -> str:
    """Deliver a prompt; return the reason if the agent did not take it. Raise LisaError as send.send_payload."""
    sent = send.send_payload(ctx, ref, SendPayload(text=text, enter=True))
    return "" if sent.ok else str(sent.error or sent.error_code)


def interrupt_turn(ctx: Context, ref: SessionRef) -> str:
    """Interrupt the turn of the agent; return a notice. Raise LisaError."""
    done = interrupt.interrupt_turn(ctx, ref)
    if not done.ok:
        raise LisaError(str(done.error_code), str(done.error))
    return "interrupt sent" if done.interrupted else "nothing to interrupt"


def answer_dialog(ctx: Context, ref: SessionRef, given: TypedAnswer) -> tuple[str, ...]:
    """Answer a dialog; return notices. Raise LisaError, also if the agent still shows the dialog."""
    decision = DialogDecision(
        kind=given.kind, by="attach", scope=given.scope, message=given.message, choices=given.choices
    )
    done = answer.answer_dialog(ctx, ref, "" if given.dialog == SCREEN_DIALOG else given.dialog, decision)
    if not done.ok:
        raise LisaError(str(done.error_code), str(done.error))
    words = {"approve": "approved (session)" if given.scope == "session" else "approved (this call)", "deny": "denied"}
    return (*filter(None, (words.get(given.kind, ""),)), *(done.notices or ()))
