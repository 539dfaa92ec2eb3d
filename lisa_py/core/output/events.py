"""The newest events of a session, or those a reader has not had yet, page by page."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import Event
from lisa_py.core.context import Context
from lisa_py.store import cursors, events
from lisa_py.store.cursors import CursorFile, EventCursor
from lisa_py.store.paths import SessionRef


class RecentEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event in few words."""

    at: str = ""
    type: str = ""
    state: str = ""
    status: str = ""
    reason: str = ""
    seq: int = 0


class RecentEvents(Struct, frozen=True, kw_only=True):
    """Some events in order; the delta's fields say nothing unless `since` is given."""

    items: tuple[RecentEvent, ...]
    dropped: int = 0
    """Lines of the log that could not be read."""
    since: int | None = None
    next: int = 0
    """Where the next reader goes on."""
    missed: int = 0
    """Events that were trimmed away before they were read."""
    remaining: int = 0
    """New events that did not fit this page; the next read gives them."""
    reset: bool = False
    """The log is younger than the cursor: it began anew."""
    newest: int = 0
    """Sequence number of the log's newest event."""


class EventReader:
    """Where a reader of events stopped, by flag or by cursor file; the flag wins, the file is kept up to date."""

    def __init__(self, ctx: Context, since: int | None, cursor_file: str, *, reset: bool = False) -> None:
        self.path = cursors.resolve_path(cursor_file) if cursor_file else ""
        self.file, self.recovered = CursorFile(), False
        if self.path:
            self.file, self.recovered = cursors.read_or_reset(self.path, reset, ctx.clock.now())
        stored_offset = self.file.events.offset if self.file.events else self.file.legacy_offset("events")
        self.since = since if since is not None else stored_offset if self.path else None
        self._last_read = RecentEvents(items=())

    def read(self, ref: SessionRef, count: int) -> RecentEvents:
        """At most `count` events: the newest, or with a cursor the oldest of the new ones.

        Raises LisaError(handoff_delta_read_failed): to a cursor an unreadable log must not look like an empty one.
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
        """Remember what was given last. Raises LisaError(cursor_file_write_failed)."""
        if self.path:
            offset = self._last_read.next
            ready = msgspec.structs.replace(self.file, events=EventCursor(offset=offset))
            ctx.commit_after_output(cursors.stage(self.path, ready, "events", offset, ctx.clock.now()))

    def remember(self, ctx: Context, fields: dict[str, Any]) -> None:
        """Keep a payload's fields in the cursor file; the place among the events stays. Raises as `save`."""
        ready = msgspec.structs.replace(self.file, fields=fields)
        ctx.commit_after_output(cursors.stage(self.path, ready, self.file.kind, self.file.offset, ctx.clock.now()))


def _to_recent_events(found: tuple[Event, ...]) -> tuple[RecentEvent, ...]:
    return tuple(
        RecentEvent(at=one.at, type=one.type, state=one.state, status=one.status, reason=one.reason, seq=one.seq)
        for one in found
    )
