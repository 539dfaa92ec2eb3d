"""Send what a person typed at an attached session."""

from __future__ import annotations

from lisa_py.core.context import Context
from lisa_py.core.live.typed_lines import TypedAnswer
from lisa_py.core.send import send
from lisa_py.core.send.send import SendPayload
from lisa_py.store.paths import SessionRef


def send_prompt(ctx: Context, ref: SessionRef, text: str) -> str:
    """Deliver a prompt; return the reason if the agent did not take it. Raise LisaError as send.send_payload."""
    sent = send.send_payload(ctx, ref, SendPayload(text=text, enter=True))
    return "" if sent.ok else str(sent.error or sent.error_code)


def interrupt(ctx: Context, ref: SessionRef) -> None:
    """Interrupt the turn of the agent. Raise LisaError."""
    send.send_payload(ctx, ref, SendPayload(keys=("Escape",)))


def answer(ctx: Context, ref: SessionRef, given: TypedAnswer) -> tuple[str, ...]:
    """Answer a dialog; return notices. Raise LisaError."""
    word = {"approve": "always" if given.scope == "session" else "yes", "deny": "no"}.get(given.kind, "")
    for choice in (word,) if word else given.choices:
        send.send_payload(ctx, ref, SendPayload(answer=choice))
    if given.kind == "approve":
        return ("approved (session)" if given.scope == "session" else "approved (this call)",)
    return ("denied",) if given.kind == "deny" else ()
