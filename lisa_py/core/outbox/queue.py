"""Put texts into the outbox of a session, list, withdraw them."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract import jsontext
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import limit_files
from lisa_py.core.send import input_text
from lisa_py.core.send.target import SendTarget
from lisa_py.host import files, run
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import live_records, outbox_records
from lisa_py.store.outbox_records import Outbox, OutboxState, OutboxText, OutboxWhen
from lisa_py.store.paths import SessionRef

OPEN_MAX = 100
"""Texts of one session that wait or whose turn is not over."""
START_SECONDS = 10.0
STORE_ERRORS = ("outbox_read_failed", "outbox_write_failed", "state_lock_timeout")
ERRORS = (*STORE_ERRORS, "outbox_full", "outbox_id_taken", "no_conversation")
"""Error codes of add_text besides those of sending."""


class OutboxRequest(Struct, frozen=True, kw_only=True):
    """A text to deliver."""

    text: str
    when: OutboxWhen
    id: str = ""
    """Empty: a new one. A text with an id that the outbox has is not queued again."""
    expire_seconds: int = 0
    """0: never."""
    verbatim: bool = False
    due_at: float = 0.0
    """Unix time before which it is not delivered."""
    at_limit: bool = False
    """Deliver it only to an agent that waits for the end of a usage limit."""
    again: bool = False
    """Queue a withdrawn text of this id again."""
    is_same: Callable[[OutboxText], bool] | None = None
    """Return True for a known text that is this one under another id; a queued one gets the later time of the two."""


class OutboxSummary(Answer):
    """A text of an outbox, and what became of it."""

    id: str
    session: str
    state: OutboxState
    when: OutboxWhen
    text: str
    queued_at: str
    sent_from: str | UnsetType = UNSET
    """Session that sent it."""
    expires_at: str | UnsetType = UNSET
    due_at: str | UnsetType = UNSET
    """Time before which it is not delivered: the end of a usage limit."""
    accepted_at: str | UnsetType = UNSET
    over_at: str | UnsetType = UNSET
    """Time from which the state is final."""
    waiting_for: str | UnsetType = UNSET
    """Error code of a delivery now: input_not_empty, agent_waiting_dialog, agent_not_ready, turn."""
    delivered_by: str | UnsetType = UNSET
    """Evidence of acceptance, as of session send."""
    ended: str | UnsetType = UNSET
    """End of its turn: completed, failed or interrupted."""
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


def add_text(ctx: Context, ref: SessionRef, request: OutboxRequest) -> OutboxSummary:
    """Queue a text and start its delivery. Raise LisaError of ERRORS, and of an agent that takes no text."""
    identity = _require_session(ctx, ref, request)
    if not input_text.clean_text(request.text).text.strip():
        raise LisaError("missing_send_payload", "the text is empty after removing control characters")
    text = jsontext.replace_surrogates(request.text)  # JSON has none; clean_text would replace them at delivery
    now = ctx.clock.now()
    with outbox_records.registry(ref).change(ctx.settings, now) as opened:
        outbox = opened.content
        known = _find_known(outbox, request)
        if known is None:
            _require_space(ref, outbox)
            known = OutboxText(
                id=request.id or f"text-{uuid.uuid4().hex[:12]}",
                text=text,
                when=request.when,
                session_id=identity,
                sender=input_text.find_sender(ctx, ref),
                verbatim=request.verbatim,
                due_at=request.due_at,
                at_limit=request.at_limit,
                queued_at=now,
                expires_at=now + request.expire_seconds if request.expire_seconds else 0.0,
            )
            _write_script(ctx, ref)  # first: the supervisor starts the process if this one is killed
            outbox.texts.append(known)
            outbox.trim()
        elif known.text != text:
            raise LisaError("outbox_id_taken", f"the outbox of {ref.session} has another text with the id {known.id}")
        elif request.again and known.state == "withdrawn":
            _write_script(ctx, ref)
            known.state, known.queued_at, known.over_at, known.due_at = "queued", now, 0.0, request.due_at
        elif known.state == "queued":
            known.due_at = max(known.due_at, request.due_at)
    if not known.is_over:
        start_delivery(ref)
    return describe(ref, known)


def _find_known(outbox: Outbox, request: OutboxRequest) -> OutboxText | None:
    """Return the text that the request has queued before, or another process for the same reason."""
    known = outbox.find(request.id) if request.id else None
    if known is None and request.is_same is not None:
        known = next(filter(request.is_same, reversed(outbox.texts)), None)
    return known


def _require_session(ctx: Context, ref: SessionRef, request: OutboxRequest) -> str:
    """Return the id of a session whose agent takes texts."""
    target = SendTarget(ctx, ref)
    target.require_session()
    target.refresh()
    target.require_running()
    target.require_interactive()
    if target.is_custom and request.when != "now":
        why = f"{ref.session} runs a command, which reports no turns: --when now sends to it"
        raise LisaError("no_conversation", why, session=ref.session)
    return find_identity(ctx, ref)


def _require_space(ref: SessionRef, outbox: Outbox) -> None:
    if len(outbox.open) >= OPEN_MAX:
        why = f"the outbox of {ref.session} has {OPEN_MAX} texts; withdraw some (lisa session outbox withdraw)"
        raise LisaError("outbox_full", why, session=ref.session)


def find_identity(ctx: Context, ref: SessionRef) -> str:
    """Return the id of the session of this name; empty if there is none."""
    meta = ctx.read_meta(ref)
    return "" if meta is None else live_records.session_id(ref.project, meta)


def _write_script(ctx: Context, ref: SessionRef) -> None:
    code = "from lisa_py.core.outbox.process import run; run(sys.argv[1:])"
    script = limit_files.build_script(ctx.settings, code, ref.project.root, ref.session)
    files.write(ref.file(outbox_records.SCRIPT), script)


def start_delivery(ref: SessionRef) -> None:
    """Start the delivering process; it ends at once if another one runs."""
    start_process(ref, outbox_records.SCRIPT)


def start_process(ref: SessionRef, script: str) -> None:
    """Start a process beside the session by its script."""
    words = ("sh", "-c", 'sh "$1" </dev/null >/dev/null 2>&1 &', "sh", ref.file(script))
    run.run_program(words, timeout=START_SECONDS)


# -- looking and withdrawing --------------------------------------------------------------------------------------


def list_texts(ctx: Context, ref: SessionRef) -> tuple[OutboxSummary, ...]:
    """Return the texts of the outbox, oldest first. Raise LisaError(outbox_read_failed)."""
    identity = find_identity(ctx, ref)
    texts = outbox_records.registry(ref).read().texts
    return tuple(describe(ref, _settle(ctx, each, identity)) for each in texts)


def find_text(ctx: Context, ref: SessionRef, identity: str) -> OutboxSummary:
    """Return one text. Raise LisaError: outbox_text_not_found, outbox_read_failed."""
    found = outbox_records.registry(ref).read().find(identity)
    if found is None:
        raise _build_not_found(ref, identity)
    return describe(ref, _settle(ctx, found, find_identity(ctx, ref)))


def withdraw_text(ctx: Context, ref: SessionRef, identity: str) -> OutboxSummary:
    """Take back a text that waits. Raise LisaError: outbox_text_not_found, outbox_text_sent, STORE_ERRORS."""
    now = ctx.clock.now()
    current = find_identity(ctx, ref)

    def change(known: OutboxText) -> None:
        settled = _settle(ctx, known, current)
        if settled.state not in ("queued", "withdrawn"):
            why = f"the text {identity} of {ref.session} is {settled.state} and cannot be withdrawn"
            raise LisaError("outbox_text_sent", why, session=ref.session, state=settled.state)
        known.state, known.over_at, known.waiting_for = "withdrawn", known.over_at or now, ""

    return describe(ref, change_text(ctx, ref, identity, change))


def change_text(ctx: Context, ref: SessionRef, identity: str, change: Callable[[OutboxText], None]) -> OutboxText:
    """Change one text under the lock of the outbox. Raise LisaError: outbox_text_not_found, STORE_ERRORS."""
    with outbox_records.registry(ref).change(ctx.settings, ctx.clock.now()) as opened:
        known = opened.content.find(identity)
        if known is None:
            raise _build_not_found(ref, identity)
        change(known)
        return structs.replace(known)


def _build_not_found(ref: SessionRef, identity: str) -> LisaError:
    why = f"the outbox of {ref.session} has no text {identity} (lisa session outbox list shows the ids)"
    return LisaError("outbox_text_not_found", why, session=ref.session)


def _settle(ctx: Context, known: OutboxText, identity: str) -> OutboxText:
    """Return the text as its delivering process will settle it, if that was killed."""
    if known.is_over:
        return known
    if known.session_id != identity:
        return settle_ended(structs.replace(known), known.queued_at)
    if is_expired(known, ctx.clock.now()):
        return structs.replace(known, state="expired", over_at=known.expires_at, waiting_for="")
    return known


def is_expired(known: OutboxText, now: float) -> bool:
    """Return True for a text that was not delivered in time."""
    return known.state == "queued" and bool(known.expires_at) and now >= known.expires_at


def settle_ended(known: OutboxText, now: float) -> OutboxText:
    """Settle a text whose session has ended; one that was accepted remains so."""
    known.over_at, known.waiting_for = now, ""
    if known.state == "accepted":
        return known
    known.state = "failed"
    known.error_code, known.error = (
        "agent_not_running",
        "the session ended, and its conversation does not show the text",
    )
    return known


def describe(ref: SessionRef, known: OutboxText) -> OutboxSummary:
    """Return a text for an answer."""
    return OutboxSummary(
        id=known.id,
        session=ref.session,
        state=known.state,
        when=known.when,
        text=known.text,
        queued_at=format_rfc3339(known.queued_at),
        sent_from=known.sender or UNSET,
        expires_at=format_rfc3339(known.expires_at) if known.expires_at else UNSET,
        due_at=format_rfc3339(known.due_at) if known.due_at else UNSET,
        accepted_at=format_rfc3339(known.accepted_at) if known.accepted_at else UNSET,
        over_at=format_rfc3339(known.over_at) if known.over_at else UNSET,
        waiting_for=known.waiting_for or UNSET,
        delivered_by=known.delivered_by or UNSET,
        ended=known.ended or UNSET,
        error_code=known.error_code or UNSET,
        error=known.error or UNSET,
    )
