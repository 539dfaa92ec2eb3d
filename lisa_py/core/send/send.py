"""Send a text, keys, or a dialog answer to a session: once, whole, with confirmed acceptance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import objective as contract_objective
from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.contract.records import INPUT_HEAD, SessionMeta, SessionState
from lisa_py.core.context import Context
from lisa_py.core.send import decision, delivery, dialog, input_box, input_text
from lisa_py.core.send.delivery import AcceptanceResult
from lisa_py.core.send.dialog import DialogAnswer
from lisa_py.core.send.result import NOT_ACCEPTED, ChoiceSummary, SendResult
from lisa_py.core.send.target import SendTarget
from lisa_py.core.status import agent_place
from lisa_py.store import events, session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import SessionRef

LOCK_SECONDS = 90.0
"""Wait of a sender behind others of the same session."""
REFUSAL_HEAD = 500
KEYS_MAX = 8000
"""Bytes of key names in one tmux call."""
KEY_PAUSE_SECONDS = 0.1
"""Pause between two calls: a terminal program takes Escape and a key at once for the key with Alt."""
_SUBMIT_KEYS = ("enter", "kpenter", "c-m")
_INTERRUPT_KEYS = ("escape", "c-c")

DeliveryState = Literal[True, False, "unverified"]


class SendPayload(Struct, frozen=True, kw_only=True):
    """Input to send: exactly one of text, keys and answer."""

    text: str = ""
    keys: tuple[str, ...] = ()
    answer: str = ""
    """yes, no, always or the number of a choice."""
    enter: bool = False
    force: bool = False
    """Send into a dialog or an unknown screen, too, where the text acts as keys."""
    replace_draft: bool = False
    """Remove a draft from the input box instead of refusing."""
    sender: str = ""
    """Session that sent it; empty: the one that the caller runs in, if any."""


class _Outcome(Struct, frozen=True, kw_only=True):
    """Outcome of sending, before it is described."""

    enter: bool
    delivered: DeliveryState | None = None
    """None: nothing was submitted, so nothing is claimed."""
    delivered_by: str = ""
    """Evidence: hook, transcript, agent_file, title, screen."""
    size: int = 0
    """Bytes that went into the pane."""
    stripped: dict[str, int] = {}
    helped: str = ""
    """Action besides one Enter: second_enter, or retyped if the agent had lost the text."""
    session_state: str = ""
    """State of the session if the text ended the agent."""
    error_code: str = ""
    """Of a text that was not delivered: send_not_taken, prompt_blocked_by_hook, command_unknown, prompt_joined."""
    error: str = ""
    joined_with: str = ""
    """Other text of the input box that was submitted together with the text."""
    altered: Mapping[str, int] = {}
    """Number of parts that the agent replaced, by name: tab, invisible, image."""
    answered: DialogAnswer | None = None
    replaced_draft: str = ""
    """The draft that was in the input box."""


def send_payload(
    ctx: Context, ref: SessionRef, payload: SendPayload, *, begin: Callable[[SendTarget], None] = lambda target: None
) -> SendResult:
    """Deliver, one sender at a time per session; `begin` is called just before a text is typed, and may raise.

    Raise LisaError: session_not_found, agent_not_running, agent_not_ready, agent_waiting_dialog, no_dialog,
    answer_not_offered, input_not_empty, input_not_visible, missing_send_payload, send_text_failed, send_keys_failed,
    state_lock_timeout, tmux_unavailable.
    """
    target = SendTarget(ctx, ref)
    target.require_session()  # before the lock: an unknown name leaves no file
    wait_ms = int(LOCK_SECONDS * 1000)
    with session_records.session_lock(ref, ctx.settings, "input", timeout_ms=wait_ms, cancellation=ctx.cancellation):
        target.refresh()
        target.require_running()
        if payload.answer:
            sent = _send_answer(ctx, target, payload.answer)
        elif payload.keys:
            sent = _send_keys(ctx, target, payload)
        else:
            sent = _send_text(ctx, target, payload, begin)
    agent_place.remember_home(ctx, ref, target.evidence)
    _record_event(ctx, ref, payload, sent)
    return _build_result(ref, sent)


def _build_result(ref: SessionRef, sent: _Outcome) -> SendResult:
    meta = _read_meta(ref)
    failed = sent.delivered is False
    return SendResult(
        session=ref.session,
        ok=not failed,
        enter=sent.enter,
        project_root=ref.project.root,
        bytes=sent.size,
        delivered=UNSET if sent.delivered is None else sent.delivered,
        delivered_by=sent.delivered_by or UNSET,
        stripped=sent.stripped or UNSET,
        helped=sent.helped or UNSET,
        altered=dict(sent.altered) or UNSET,
        joined_with=sent.joined_with or UNSET,
        session_state=sent.session_state or UNSET,
        answered=_summarize_choice(sent),
        replaced_draft=sent.replaced_draft or UNSET,
        lane=meta.lane or UNSET,
        objective=contract_objective.from_session_meta(meta),
        error_code=(sent.error_code or NOT_ACCEPTED[0]) if failed else UNSET,
        error=sent.error or UNSET,
    )


def _read_meta(ref: SessionRef) -> SessionMeta:
    try:
        return session_records.read_meta(ref) or SessionMeta(session=ref.session)
    except UnreadableRecord:
        return SessionMeta(session=ref.session)


def _summarize_choice(sent: _Outcome) -> ChoiceSummary | UnsetType:
    taken = sent.answered
    if taken is None:
        return UNSET
    return ChoiceSummary(
        number=taken.number,
        text=taken.text,
        waiting_for=taken.waiting_for,
        ticked=taken.ticked or UNSET,
        open=True if taken.open_question else UNSET,
        open_question=taken.open_question or UNSET,
    )


# -- text ---------------------------------------------------------------------------------------------------------


def _send_text(ctx: Context, target: SendTarget, payload: SendPayload, begin: Callable[[SendTarget], None]) -> _Outcome:
    cleaned = input_text.clean_text(payload.text)
    text = input_text.add_reminder(cleaned.text, target.evidence.meta)
    if not cleaned.text:
        raise LisaError("missing_send_payload", "the text is empty after removing control characters")
    if payload.enter and not cleaned.text.strip() and not target.is_custom:
        raise LisaError("missing_send_payload", "the text is empty; agents ignore a blank prompt")
    target.require_ready(force=payload.force)
    removed = "" if payload.force else input_box.prepare_input_box(ctx, target, replace_draft=payload.replace_draft)
    begin(target)
    sent = _Outcome(
        enter=payload.enter,
        size=len(text.encode()),
        stripped=cleaned.stripped,
        replaced_draft=removed,
    )
    if not payload.enter:
        draft = delivery.read_own_draft(target)
        delivery.type_text(target, text)
        session_records.change_state(target.ref, ctx.settings, ctx.clock.now(), _mark_draft(draft + text))
        return sent
    acceptance = _submit(ctx, target, text, payload.sender or input_text.find_sender(ctx, target.ref))
    delivered: DeliveryState = acceptance.is_accepted or (False if acceptance.verifiable else "unverified")
    code, words = _describe_failure(target, acceptance) if delivered is False else ("", "")
    record_acceptance(ctx, target.ref, delivered, words if acceptance.seen.refusal else "")
    return msgspec.structs.replace(
        sent,
        delivered=delivered,
        delivered_by=acceptance.seen.source if delivered is not False else "",
        helped=acceptance.helped,
        session_state=target.status.session_state if acceptance.ended else "",
        error_code=code,
        error=words,
        joined_with=acceptance.seen.joined_with,
        altered=acceptance.seen.altered,
    )


def _describe_failure(target: SendTarget, acceptance: AcceptanceResult) -> tuple[str, str]:
    """Return the error code and the words for a text that the agent did not accept as it is."""
    seen, name = acceptance.seen, target.ref.session
    if seen.refusal:
        return seen.refusal, seen.reason or f"{name} refused the text and gave no reason"
    if seen.joined_with:
        return "prompt_joined", f"{name} got the text together with what was in its input box: {seen.joined_with[:200]}"
    return "send_not_taken", f"{name} shows no sign of acceptance; read its pane before sending again"


def _submit(ctx: Context, target: SendTarget, text: str, sender: str) -> AcceptanceResult:
    """Record the turn boundary, then deliver; restore the record if nothing was typed."""
    before = _mark_input(ctx, target.ref, text, sender=sender, expects_turn=not input_text.is_command(text))
    try:
        return delivery.submit_text(ctx, target, text)
    except CancellationError:
        raise  # the text may have been typed
    except LisaError:
        _restore_state(ctx, target.ref, before)
        raise


# -- keys and answers ---------------------------------------------------------------------------------------------


def _send_keys(ctx: Context, target: SendTarget, payload: SendPayload) -> _Outcome:
    keys = (*payload.keys, "Enter") if payload.enter else payload.keys
    if any(key.lower() in _SUBMIT_KEYS for key in keys):
        _mark_input(ctx, target.ref, "", expects_turn=False)
    dialog.mark_keys(ctx, target.ref)
    for number, batch in enumerate(_split_batches(keys)):
        if number:
            ctx.clock.sleep(KEY_PAUSE_SECONDS)
        target.press(batch)
    if any(key.lower() in _INTERRUPT_KEYS for key in keys):
        session_records.change_state(target.ref, ctx.settings, ctx.clock.now(), _mark_interrupted(ctx.clock.now()))
    return _Outcome(enter=payload.enter, size=sum(len(key.encode()) for key in keys))


def _split_batches(keys: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the keys for one call each; Escape ends one, because together with the next key it is another key."""
    batches: list[list[str]] = [[]]
    remaining = KEYS_MAX
    for key in keys:
        remaining -= len(key.encode()) + 1
        if remaining < 0 and batches[-1]:
            batches.append([])
            remaining = KEYS_MAX - len(key.encode())
        batches[-1].append(key)
        if key.lower() == "escape":
            batches.append([])
            remaining = KEYS_MAX
    return [tuple(batch) for batch in batches if batch]


def _send_answer(ctx: Context, target: SendTarget, choice: str) -> _Outcome:
    answered, source = decision.press_word(ctx, target, choice, "send")
    delivered: DeliveryState = bool(source)
    return _Outcome(enter=True, delivered=delivered, delivered_by=source, answered=answered)


# -- records ------------------------------------------------------------------------------------------------------


def _mark_input(ctx: Context, ref: SessionRef, text: str, *, sender: str = "", expects_turn: bool) -> SessionState:
    """Record the turn boundary: earlier output is not a reply to this input. Return the previous state."""
    now = ctx.clock.now()
    previous: list[SessionState] = []

    def change(state: SessionState) -> None:
        previous.append(msgspec.structs.replace(state))
        state.last_input_at = now
        state.last_input_text, state.last_input_from = text[:INPUT_HEAD], sender
        state.last_input_expects_turn = expects_turn
        state.last_input_accepted_at = 0.0
        state.last_input_refused = ""
        state.draft, state.draft_text = False, ""
        state.interrupted_at = 0.0

    session_records.change_state(ref, ctx.settings, now, change)
    return previous[0]


def _mark_interrupted(now: float) -> Callable[[SessionState], None]:
    def change(state: SessionState) -> None:
        state.interrupted_at = now

    return change


def _mark_draft(text: str) -> Callable[[SessionState], None]:
    def change(state: SessionState) -> None:
        state.draft = True
        state.draft_text = text

    return change


def _restore_state(ctx: Context, ref: SessionRef, before: SessionState) -> None:
    def change(state: SessionState) -> None:
        state.last_input_at = before.last_input_at
        state.last_input_text, state.last_input_from = before.last_input_text, before.last_input_from
        state.last_input_expects_turn = before.last_input_expects_turn
        state.last_input_accepted_at = before.last_input_accepted_at
        state.last_input_refused = before.last_input_refused
        state.draft, state.draft_text, state.interrupted_at = before.draft, before.draft_text, before.interrupted_at

    session_records.change_state(ref, ctx.settings, ctx.clock.now(), change)


def record_acceptance(ctx: Context, ref: SessionRef, delivered: DeliveryState, refused: str = "") -> None:
    """Note what became of the newest text."""

    def change(state: SessionState) -> None:
        if delivered is True:
            state.last_input_accepted_at = ctx.clock.now()
        elif delivered is False:
            state.last_input_expects_turn = False  # without acceptance no turn begins
            state.last_input_refused = refused[:REFUSAL_HEAD]

    session_records.change_state(ref, ctx.settings, ctx.clock.now(), change)


def _record_event(ctx: Context, ref: SessionRef, payload: SendPayload, sent: _Outcome) -> None:
    detail: dict[str, object] = {"enter": sent.enter, "bytes": sent.size}
    if sender := payload.sender or input_text.find_sender(ctx, ref):
        detail["from"] = sender
    if sent.delivered is not None:
        detail |= {"delivered": sent.delivered, "deliveredBy": sent.delivered_by}
    reason = "send_text" if payload.text else "send_keys"
    try:
        events.add(
            ref,
            ctx.settings,
            ctx.clock.now(),
            type="lifecycle",
            state="in_progress",
            status="active",
            reason=reason,
            detail=detail,
        )
    except LisaError as problem:
        ctx.warn_about(problem)  # it was sent all the same


ERRORS = (
    "agent_not_running",
    "agent_not_ready",
    "agent_not_interactive",
    "agent_waiting_dialog",
    "input_not_empty",
    "input_not_visible",
    "no_dialog",
    "answer_not_offered",
    "send_text_failed",
    "send_keys_failed",
)
"""Error codes of the session for commands that send."""
