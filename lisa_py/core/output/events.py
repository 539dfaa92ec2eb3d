"""Read events of a session: the newest, or those after a cursor or a time, page by page."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract.answer import Answer, CursorAnswer
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.records import Event
from lisa_py.core.context import Context
from lisa_py.host.clock import parse_time
from lisa_py.store import cursors, events
from lisa_py.store.cursors import CursorFile, EventCursor
from lisa_py.store.events import EventPage
from lisa_py.store.paths import SessionRef


class RecentEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event in short form."""

    at: str = ""
    type: str = ""
    state: str = ""
    status: str = ""
    reason: str = ""
    seq: int = 0


class EventDeltaAnswer(CursorAnswer):
    """An answer with recent events; the delta fields are set by a cursor."""

    delta_from: int | UnsetType = UNSET
    next_delta_offset: int | UnsetType = UNSET
    delta_count: int | UnsetType = UNSET
    delta_remaining: int | UnsetType = UNSET
    """Number of new events for the next read."""
    delta_missed: int | UnsetType = UNSET
    """Number of events trimmed before they were read."""
    delta_reset: bool | UnsetType = UNSET
    """True if the event log was restarted since the cursor."""


class RecentEvents(Struct, frozen=True, kw_only=True):
    """Some events in order; the delta fields are only set with `since`."""

    items: tuple[RecentEvent, ...]
    dropped: int = 0
    """Number of log lines that could not be read."""
    since: int | None = None
    next: int = 0
    """Position of the next read."""
    missed: int = 0
    """Number of events trimmed before they were read."""
    remaining: int = 0
    """Number of new events for the next read."""
    reset: bool = False
    """True if the log is younger than the cursor: it restarted."""
    newest: int = 0
    """Sequence number of the newest event in the log."""

    def delta_fields(self) -> dict[str, Any]:
        """Return the delta fields of handoffs and packets; empty without a cursor."""
        if self.since is None:
            return {}
        return {
            "delta_from": self.since,
            "next_delta_offset": self.next,
            "delta_count": len(self.items),
            "delta_remaining": self.remaining or UNSET,
            "delta_missed": self.missed or UNSET,
            "delta_reset": self.reset or UNSET,
        }


class EventReader:
    """Position of a reader of events, by flag or cursor file; the flag wins, the file is updated."""

    def __init__(self, ctx: Context, since: int | None, cursor_file: str, *, reset: bool = False) -> None:
        self.path = cursors.resolve_path(cursor_file) if cursor_file else ""
        self.file, self.recovered = CursorFile(), False
        if self.path:
            self.file, self.recovered = cursors.read_or_reset(self.path, reset, ctx.clock.now())
        stored_offset = self.file.events.offset if self.file.events else self.file.legacy_offset("events")
        self.since = since if since is not None else stored_offset if self.path else None
        self._last_read = RecentEvents(items=())

    def read(self, ref: SessionRef, count: int) -> RecentEvents:
        """Return at most `count` events: the newest, or with a cursor the oldest unread ones.

        Raise LisaError(handoff_delta_read_failed): to a cursor an unreadable log must not look like an empty one.
        """
        self._last_read = self._read(ref, count)
        return self._last_read

    def _read(self, ref: SessionRef, count: int) -> RecentEvents:
        if self.since is None:
            page = events.read_tail(ref, count)
            return RecentEvents(items=_to_recent_events(page.events), dropped=page.dropped, newest=page.next)
        try:
            events.check_readable(ref)
        except OSError as problem:
            why = (problem.strerror or str(problem)).lower()
            raise LisaError("handoff_delta_read_failed", f"failed to read handoff delta: {why}") from None
        newest = events.read_tail(ref, 1).next
        reset = self.since > newest
        page = events.read_since(ref, 0 if reset else self.since, count)
        return RecentEvents(
            items=_to_recent_events(page.events),
            dropped=page.dropped,
            since=self.since,
            next=page.next,
            missed=page.missed,
            remaining=page.more,
            reset=reset,
            newest=newest,
        )

    def save(self, ctx: Context) -> None:
        """Save the new position. Raise LisaError(cursor_file_write_failed)."""
        if self.path:
            offset = self._last_read.next
            ready = structs.replace(self.file, events=EventCursor(offset=offset))
            ctx.commit_after_output(cursors.stage(self.path, ready, "events", offset, ctx.clock.now()))

    def remember(self, ctx: Context, fields: dict[str, Any]) -> None:
        """Save the fields of a payload in the cursor file without changing the event position. Raise as `save`."""
        ready = structs.replace(self.file, fields=fields)
        ctx.commit_after_output(cursors.stage(self.path, ready, self.file.kind, self.file.offset, ctx.clock.now()))


def _to_recent_events(found: tuple[Event, ...]) -> tuple[RecentEvent, ...]:
    return tuple(
        RecentEvent(at=one.at, type=one.type, state=one.state, status=one.status, reason=one.reason, seq=one.seq)
        for one in found
    )


class EventStart(Struct, frozen=True):
    """Start position: after a sequence number, or after a time."""

    cursor: int | None = None
    moment: float | None = None


class CompactEvent(Answer, omit_defaults=True):
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
