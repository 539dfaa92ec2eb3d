"""Read recent events of a session, from a cursor or a time on."""

from __future__ import annotations

from msgspec import Struct, structs

from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.records import Event
from lisa_py.host.clock import parse_time
from lisa_py.store import events
from lisa_py.store.events import EventPage
from lisa_py.store.paths import SessionRef


class EventStart(Struct, frozen=True):
    """Start position: after a sequence number, or after a time."""

    cursor: int | None = None
    moment: float | None = None


class CompactEvent(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An event in compact answers."""

    at: str
    type: str
    state: str = ""
    status: str = ""
    reason: str = ""
    seq: int


def to_compact_event(event: Event) -> CompactEvent:
    return CompactEvent(
        at=event.at, type=event.type, state=event.state, status=event.status, reason=event.reason, seq=event.seq
    )


def parse_since(text: str) -> EventStart:
    """Parse `--since`. Raise UsageError(invalid_since_cursor)."""
    word = text.strip()
    if not word:
        return EventStart()
    if word.isdigit():
        return EventStart(cursor=int(word))
    moment = parse_time(word)
    if moment is None:
        raise UsageError(
            "invalid_since_cursor", f"invalid --since: {text} (expected a cursor, @unix time or RFC 3339 time)"
        )
    return EventStart(moment=moment)


def read_page(ref: SessionRef, since: EventStart, count: int) -> EventPage:
    """Return the newest events, or the oldest after `since`. Raise LisaError(event_tail_read_failed)."""
    try:
        events.check_readable(ref)
    except OSError as problem:
        raise LisaError("event_tail_read_failed", f"cannot read {ref.events}: {problem.strerror}") from problem
    if since.cursor is not None:
        return events.read_since(ref, since.cursor, count)
    if since.moment is None:
        return events.read_tail(ref, count)
    all_events = events.read_since(ref, 0, 1 << 30)
    fresh = [event for event in all_events.events if (parse_time(event.at) or 0.0) > since.moment]
    kept = fresh[:count]
    return structs.replace(
        all_events,
        events=tuple(kept),
        next=kept[-1].seq if kept else all_events.next,
        more=len(fresh) - len(kept),
        missed=0,
    )
