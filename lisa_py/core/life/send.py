"""Telling a session something: a text, keys, or the answer to its dialog; once, whole, and seen to be taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionState
from lisa_py.core.context import Context
from lisa_py.core.life import answering, delivery, typed_text
from lisa_py.core.life.answering import Answered
from lisa_py.core.life.delivery import Seen
from lisa_py.core.life.listener import Listener
from lisa_py.store import events, session
from lisa_py.store.places import Place

LOCK_SECONDS = 90.0
"""How long a sender stands in line behind others of the same session."""
KEYS_MAX = 8000
"""Bytes of key names in one tmux call."""
_SUBMITTING = ("enter", "kpenter", "c-m")
_INTERRUPTING = ("escape", "c-c")

Delivered = Literal[True, False, "unverified"]


class Payload(Struct, frozen=True, kw_only=True):
    """What is to be told: exactly one of text, keys and answer."""

    text: str = ""
    keys: tuple[str, ...] = ()
    answer: str = ""
    """yes, no, always or the number of a choice."""
    enter: bool = False
    force: bool = False
    """Also into a dialog, which takes the text for keys."""


class Sent(Struct, frozen=True, kw_only=True):
    """What became of it."""

    enter: bool
    delivered: Delivered | None = None
    """None: nothing was submitted, so nothing is claimed."""
    delivered_by: str = ""
    """What showed it: hook, transcript, agent_file, title, screen."""
    size: int = 0
    """Bytes that went into the pane."""
    stripped: dict[str, int] = {}
    helped: str = ""
    """What it took besides one Enter: second_enter, or retyped when the agent had lost the text."""
    reminded: bool = False
    """The session's objective was put in front."""
    answered: Answered | None = None


def send(ctx: Context, place: Place, payload: Payload) -> Sent:
    """Deliver, one sender at a time per session.

    Raises LisaError: session_not_found, agent_not_running, agent_not_ready, agent_waiting_dialog, no_dialog,
    answer_not_offered, missing_send_payload, send_text_failed, send_keys_failed, state_lock_timeout,
    tmux_unavailable.
    """
    listener = Listener(ctx, place)
    listener.must_exist()  # before the lock: a name nobody has leaves no trace
    with session.session_lock(place, ctx.settings, "input", timeout_ms=int(LOCK_SECONDS * 1000)):
        listener.look()
        listener.must_run()
        if payload.answer:
            sent = _answer(ctx, listener, payload.answer)
        elif payload.keys:
            sent = _keys(ctx, listener, payload)
        else:
            sent = _text(ctx, listener, payload)
    _note(ctx, place, payload, sent)
    return sent


# -- text ---------------------------------------------------------------------------------------------------------


def _text(ctx: Context, listener: Listener, payload: Payload) -> Sent:
    cleaned = typed_text.clean(payload.text)
    text = typed_text.with_reminder(cleaned.text, listener.evidence.meta)
    if not cleaned.text:
        raise LisaError("missing_send_payload", "nothing is left of the text once control characters are taken out")
    if payload.enter and not cleaned.text.strip() and not listener.custom:
        raise LisaError("missing_send_payload", "the text is nothing but white space, which no agent takes as a prompt")
    listener.must_listen(force=payload.force)
    sent = Sent(enter=payload.enter, size=len(text.encode()), stripped=cleaned.stripped, reminded=text != cleaned.text)
    if not payload.enter:
        delivery.put(listener, text)
        session.change_state(listener.place, ctx.settings, ctx.clock.now(), _drafted)
        return sent
    seen = _submitted(ctx, listener, text)
    delivered: Delivered = True if seen.how else False if seen.knowable else "unverified"
    _taken(ctx, listener.place, delivered)
    return msgspec.structs.replace(sent, delivered=delivered, delivered_by=seen.how, helped=seen.helped)


def _submitted(ctx: Context, listener: Listener, text: str) -> Seen:
    """Draw the line between turns, then deliver; the line is taken back when nothing was typed."""
    before = _begin(ctx, listener.place, text, expects_turn=not typed_text.is_command(text))
    try:
        return delivery.enter(ctx, listener, text)
    except LisaError:
        _take_back(ctx, listener.place, before)
        raise


# -- keys and answers ---------------------------------------------------------------------------------------------


def _keys(ctx: Context, listener: Listener, payload: Payload) -> Sent:
    keys = (*payload.keys, "Enter") if payload.enter else payload.keys
    if any(key.lower() in _SUBMITTING for key in keys):
        _begin(ctx, listener.place, "", expects_turn=False)
    for batch in _batches(keys):
        listener.press(batch)
    if keys[-1].lower() in _INTERRUPTING:
        session.change_state(listener.place, ctx.settings, ctx.clock.now(), _interrupted(ctx.clock.now()))
    return Sent(enter=payload.enter, size=sum(len(key.encode()) for key in keys))


def _batches(keys: tuple[str, ...]) -> list[tuple[str, ...]]:
    batches: list[list[str]] = [[]]
    room = KEYS_MAX
    for key in keys:
        room -= len(key.encode()) + 1
        if room < 0 and batches[-1]:
            batches.append([])
            room = KEYS_MAX - len(key.encode())
        batches[-1].append(key)
    return [tuple(batch) for batch in batches]


def _answer(ctx: Context, listener: Listener, word: str) -> Sent:
    answered, how = answering.answer(ctx, listener, word)
    delivered: Delivered = bool(how)
    return Sent(enter=True, delivered=delivered, delivered_by=how, answered=answered)


# -- records ------------------------------------------------------------------------------------------------------


def _begin(ctx: Context, place: Place, text: str, *, expects_turn: bool) -> SessionState:
    """Draw the line: whatever the agent said before now is no answer to this. Returns the state as it was."""
    now = ctx.clock.now()
    kept: list[SessionState] = []

    def change(state: SessionState) -> None:
        kept.append(msgspec.structs.replace(state))
        state.last_input_at = now
        state.last_input_text = text[:4000]
        state.last_input_expects_turn = expects_turn
        state.last_input_accepted_at = 0.0
        state.draft = False
        state.interrupted_at = 0.0

    session.change_state(place, ctx.settings, now, change)
    return kept[0]


def _interrupted(now: float) -> Callable[[SessionState], None]:
    def change(state: SessionState) -> None:
        state.interrupted_at = now

    return change


def _drafted(state: SessionState) -> None:
    state.draft = True


def _take_back(ctx: Context, place: Place, before: SessionState) -> None:
    def change(state: SessionState) -> None:
        state.last_input_at = before.last_input_at
        state.last_input_text = before.last_input_text
        state.last_input_expects_turn = before.last_input_expects_turn
        state.last_input_accepted_at = before.last_input_accepted_at
        state.draft, state.interrupted_at = before.draft, before.interrupted_at

    session.change_state(place, ctx.settings, ctx.clock.now(), change)


def _taken(ctx: Context, place: Place, delivered: Delivered) -> None:
    def change(state: SessionState) -> None:
        if delivered is True:
            state.last_input_accepted_at = ctx.clock.now()
        elif delivered is False:
            state.last_input_expects_turn = False  # nothing begins that was never taken

    session.change_state(place, ctx.settings, ctx.clock.now(), change)


def _note(ctx: Context, place: Place, payload: Payload, sent: Sent) -> None:
    detail: dict[str, object] = {"enter": sent.enter, "bytes": sent.size}
    if sent.delivered is not None:
        detail |= {"delivered": sent.delivered, "deliveredBy": sent.delivered_by}
    reason = "send_text" if payload.text else "send_keys"
    try:
        events.add(
            place,
            ctx.settings,
            ctx.clock.now(),
            type="lifecycle",
            state="in_progress",
            status="active",
            reason=reason,
            detail=detail,
        )
    except LisaError as problem:
        ctx.warn_on(problem)  # it was sent all the same


ERRORS = {
    "agent_not_running": "the agent has ended; nothing was typed",
    "agent_not_ready": "the agent has not finished starting, or its process is stopped",
    "agent_not_interactive": "an exec session takes no further text",
    "agent_waiting_dialog": "a dialog is open that would swallow the text; waitingFor and choices say which",
    "no_dialog": "an answer was given, but the agent asks nothing",
    "answer_not_offered": "the dialog has no such choice, or changed while it was being answered",
    "send_text_failed": "tmux did not take the text",
    "send_keys_failed": "tmux did not take the keys",
}
"""What can be wrong with the session, for the commands that send."""
