"""Send what a person gave at an attached session or a client of the API."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.dialogs import DialogDecision
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.live.typed_lines import SCREEN_DIALOG, TypedAnswer
from lisa_py.core.send import answer, interrupt, send
from lisa_py.core.send.send import SendPayload
from lisa_py.store.paths import SessionRef


class GivenDecision(Struct, frozen=True, kw_only=True):
    """A decision about one dialog."""

    dialog: str
    """The id of its frame."""
    decision: DialogDecision


def send_prompt(ctx: Context, ref: SessionRef, text: str) -> None:
    """Deliver a prompt. Raise LisaError as send.send_payload, also if the agent did not take it."""
    sent = send.send_payload(ctx, ref, SendPayload(text=text, enter=True))
    if not sent.ok:
        raise LisaError(str(sent.error_code), str(sent.error or sent.error_code))


def interrupt_turn(ctx: Context, ref: SessionRef) -> str:
    """Interrupt the turn of the agent; return a notice. Raise LisaError."""
    done = interrupt.interrupt_turn(ctx, ref)
    if not done.ok:
        raise LisaError(str(done.error_code), str(done.error))
    return "interrupt sent" if done.interrupted else "nothing to interrupt"


def answer_dialog(ctx: Context, ref: SessionRef, given: TypedAnswer | GivenDecision) -> tuple[str, ...]:
    """Answer a dialog; return notices. Raise LisaError, also if the agent still shows the dialog."""
    decision = given.decision if isinstance(given, GivenDecision) else build_decision(given, "attach")
    done = answer.answer_dialog(ctx, ref, "" if given.dialog == SCREEN_DIALOG else given.dialog, decision)
    if not done.ok:
        raise LisaError(str(done.error_code), str(done.error))
    session = " (session)" if decision.scope == "session" else " (this call)"
    words = {"approve": f"approved{session}", "deny": "denied"}
    return (*filter(None, (words.get(decision.kind, ""),)), *(done.notices or ()))


def build_decision(given: TypedAnswer, by: str) -> DialogDecision:
    """Return the decision of a typed answer."""
    return DialogDecision(kind=given.kind, by=by, scope=given.scope, message=given.message, choices=given.choices)
