"""Continue the turn that a usage limit has interrupted, once, at the time that the agent names.

The text waits in the outbox of the session under an id of the limit, so that it is queued and delivered once, however
many processes wait and whichever of them is killed.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.contract.limits import OnLimit, UsageLimit
from lisa_py.contract.status import TERMINAL_STATES, Status
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import limit_files
from lisa_py.core.outbox import queue
from lisa_py.core.status import status_reader, usage_limit
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import limit_records, outbox_records
from lisa_py.store.limit_records import LimitRecord
from lisa_py.store.outbox_records import OutboxText
from lisa_py.store.paths import SessionRef

TEXT = "continue"
PREFIX = "limit-"
"""Beginning of the ids of these texts."""
SAME_SECONDS = 120.0
"""Difference between two times of the end of one limit: codex gives it with other seconds in each record (0.171)."""
ERRORS = (*queue.ERRORS, "store_unwritable", "session_not_found")
"""Error codes of set_plan."""


class Continuation(Struct, frozen=True):
    """The text that continues the turn, and its time."""

    id: str
    due_at: float


class LimitPlanResult(Answer):
    """Effect of a usage limit on a session, and the limit it waits at."""

    session: str
    on_limit: OnLimit | None
    """None: the session waits for a person."""
    limit: bool
    """True while the agent waits at a limit."""
    resets_at: str | UnsetType = UNSET
    window: str | UnsetType = UNSET
    account: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    """The agent's words about the limit."""
    continues_at: str | UnsetType = UNSET
    """Time at which the turn continues."""
    continuation_id: str | UnsetType = UNSET
    """Id of the text in the outbox."""
    withdrawn: int | UnsetType = UNSET
    """Number of texts that were taken back."""


def queue_continuation(ctx: Context, ref: SessionRef, *, again: bool = False) -> Continuation | None:
    """Queue the text for the limit that the agent waits at; None if it waits at none, or names no end.

    `again`: also one that was withdrawn, because a person asks for it. Raise LisaError of queue.ERRORS.
    """
    evidence, status = status_reader.read_with_evidence(ctx, ref)
    if status.waiting_for != "limit":
        return None
    limit = usage_limit.read_limit(evidence, ctx.settings.environ)
    if not limit.resets_at:
        return None
    run = f"{PREFIX}{evidence.run_id[:8]}-"
    due_at = limit.resets_at + limit.precision
    request = queue.OutboxRequest(
        text=TEXT,
        when="now",
        id=f"{run}{int(limit.resets_at)}",
        verbatim=True,
        due_at=due_at,
        at_limit=True,
        again=again,
        is_same=lambda known: known.id.startswith(run) and is_same_limit(known, due_at),
    )
    identity = queue.add_text(ctx, ref, request).id
    known = outbox_records.registry(ref).read().find(identity)
    return Continuation(identity, due_at if known is None else known.due_at)


def is_same_limit(known: OutboxText, due_at: float) -> bool:
    """Return True if a text continues the turn after the limit that ends at this time.

    Not if it was settled after its own time, and this one is later still: the agent has met another limit.
    """
    if not known.at_limit or abs(known.due_at - due_at) > SAME_SECONDS:
        return False
    settled_at = known.accepted_at or known.over_at
    return not known.due_at <= settled_at < due_at


def find_continuation(ref: SessionRef) -> OutboxText | None:
    """Return the text that waits for the end of the limit."""
    texts = outbox_records.registry(ref).read().open
    return next((each for each in texts if each.at_limit and each.state == "queued"), None)


def is_withdrawn(ref: SessionRef, identity: str) -> bool:
    """Return True if the text was taken back. Raise LisaError(outbox_read_failed)."""
    found = outbox_records.registry(ref).read().find(identity)
    return found is not None and found.state == "withdrawn"


def withdraw_continuations(ctx: Context, ref: SessionRef) -> int:
    """Take back the texts that wait; return their number. Raise LisaError of queue.STORE_ERRORS."""
    withdrawn = 0
    for each in outbox_records.registry(ref).read().open:
        if each.at_limit and each.state == "queued":
            try:
                queue.withdraw_text(ctx, ref, each.id)
                withdrawn += 1
            except LisaError as problem:
                if problem.code != "outbox_text_sent":
                    raise
    return withdrawn


def describe_plan(ctx: Context, ref: SessionRef, withdrawn: int = 0) -> LimitPlanResult:
    """Return the plan of a session and its limit. Raise LisaError(session_not_found, outbox_read_failed)."""
    status = status_reader.read_status(ctx, ref)
    if status.session_state == "not_found":
        raise LisaError("session_not_found", f"{ref.session}: no session of this name exists", session=ref.session)
    limits = limit_records.read_limits(ref)
    waiting = find_continuation(ref)
    limit = status.limit or UsageLimit()
    return LimitPlanResult(
        session=ref.session,
        on_limit=(limits.on_limit or None) if limits is not None else None,
        limit=status.waiting_for == "limit",
        resets_at=limit.resets_at,
        window=limit.window,
        account=limit.account,
        text=limit.text,
        continues_at=format_rfc3339(waiting.due_at) if waiting is not None else UNSET,
        continuation_id=waiting.id if waiting is not None else UNSET,
        withdrawn=withdrawn or UNSET,
    )


def set_plan(ctx: Context, ref: SessionRef, choice: str) -> LimitPlanResult:
    """Set what happens at a limit: wait, stop or off, which also takes back a text that waits.

    Raise LisaError of ERRORS.
    """
    meta = ctx.read_meta(ref)
    status = status_reader.read_status(ctx, ref)
    if meta is None or status.session_state in TERMINAL_STATES:
        raise LisaError("session_not_found", f"{ref.session}: no running session of this name", session=ref.session)
    now = ctx.clock.now()
    began = ctx.clock.monotonic() - max(0.0, now - meta.created_unix)
    fallback = LimitRecord(run_id=meta.run_id, started_at=meta.created_unix or now, started_monotonic=began)
    word = limit_records.parse_on_limit(choice)
    if word or limit_records.read_limits(ref, meta.run_id) is not None:
        limit_records.set_on_limit(ref, word, fallback)
        limit_files.write_script(ctx, ref, meta.run_id)
    if word:
        queue.start_process(ref, limit_records.SCRIPT)  # ends at once if one runs
    if word == "wait":
        queue_continuation(ctx, ref, again=True)
    withdrawn = withdraw_continuations(ctx, ref) if word != "wait" else 0
    return describe_plan(ctx, ref, withdrawn)


def describe_limit(status: Status) -> str:
    """Return the limit in words: `5 hours, until 2026-11-28T15:00:00Z`; empty without details."""
    limit = status.limit or UsageLimit()
    parts = (limit.window or "", f"until {limit.resets_at}" if limit.resets_at else "")
    return ", ".join(part for part in parts if part)
