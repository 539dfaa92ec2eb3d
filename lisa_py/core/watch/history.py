"""A session's recent events, from a cursor or a time on."""

from __future__ import annotations

from msgspec import Struct, structs

from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.records import Event
from lisa_py.host.clock import unix_of
from lisa_py.store import events
from lisa_py.store.events import Page
from lisa_py.store.places import Place


class Since(Struct, frozen=True):
    """Where to begin: after a sequence number, or after a moment."""

    cursor: int | None = None
    moment: float | None = None


class Item(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An event as compact answers carry it."""

    at: str
    type: str
    state: str = ""
    status: str = ""
    reason: str = ""
    seq: int


def item(event: Event) -> Item:
    return Item(
        at=event.at, type=event.type, state=event.state, status=event.status, reason=event.reason, seq=event.seq
    )


def since_value(text: str) -> Since:
    """Read `--since`. Raises UsageError(invalid_since_cursor)."""
    word = text.strip()
    if not word:
        return Since()
    if word.isdigit():
        return Since(cursor=int(word))
    moment = unix_of(word)
    if moment is None:
        raise UsageError(
            "invalid_since_cursor", f"invalid --since: {text} (expected a cursor, @unix time or RFC 3339 time)"
        )
    return Since(moment=moment)


def page(place: Place, since: Since, count: int) -> Page:
    """The newest events, or the oldest after `since`. Raises LisaError(event_tail_read_failed)."""
    try:
        events.must_be_readable(place)
    except OSError as problem:
        raise LisaError("event_tail_read_failed", f"cannot read {place.events}: {problem.strerror}") from problem
    if since.cursor is not None:
        return events.since(place, since.cursor, count)
    if since.moment is None:
        return events.tail(place, count)
    every = events.since(place, 0, 1 << 30)
    fresh = [event for event in every.events if (unix_of(event.at) or 0.0) > since.moment]
    kept = fresh[:count]
    return structs.replace(
        every, events=tuple(kept), next=kept[-1].seq if kept else every.next, more=len(fresh) - len(kept), missed=0
    )
