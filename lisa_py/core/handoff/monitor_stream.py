"""Compact packets that a monitor streams to another agent: state, next action, new events."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, UnsetType, structs

from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.advice import next_step
from lisa_py.core.context import Context
from lisa_py.core.output.events import CompactEvent, to_compact_event
from lisa_py.core.status.status_reader import normalise_status
from lisa_py.host.files import StagedFile
from lisa_py.store import cursors, events
from lisa_py.store.cursors import CursorFile, EventCursor
from lisa_py.store.paths import SessionRef

DEFAULT_EVENTS = 8
MAX_EVENTS = 24
TOKENS_PER_EVENT = 32


class MonitorHandoff(Answer):
    """One line of the stream."""

    type: str = "handoff"
    poll: int
    session: str
    status: str
    session_state: str
    reason: str
    next_action: str
    waiting_for: str | UnsetType = UNSET
    next_offset: int | UnsetType = UNSET
    summary: str | UnsetType = UNSET
    delta_from: int | UnsetType = UNSET
    next_delta_offset: int | UnsetType = UNSET
    delta_count: int | UnsetType = UNSET
    recent: tuple[CompactEvent, ...] | UnsetType = UNSET


class HandoffStream:
    """Builds one packet per poll; with a cursor or a budget it carries new events only."""

    def __init__(
        self,
        ctx: Context,
        ref: SessionRef,
        *,
        cursor_file: str,
        cursor_reset: bool,
        event_budget: int,
        summary: bool,
        offset: Callable[[], int],
    ) -> None:
        """Raise UsageError(invalid_cursor_file)."""
        self._ctx = ctx
        self._ref = ref
        self._summary = summary
        self._offset = offset
        self._delta = bool(cursor_file or event_budget)
        self._limit = max(1, min(MAX_EVENTS, event_budget // TOKENS_PER_EVENT)) if event_budget else DEFAULT_EVENTS
        self._path = cursors.resolve_path(cursor_file) if cursor_file else ""
        self._file = CursorFile()
        self._staged: StagedFile | None = None
        if self._path:
            self._file, recovered = cursors.read_or_reset(self._path, cursor_reset, ctx.clock.now())
            if recovered:
                ctx.warn(
                    f"handoff warning: {self._path} could not be read and was set aside; all events are reported again"
                )
        own = self._file.events
        self._cursor = own.offset if own is not None else self._file.legacy_offset("events")

    def build_packet(self, poll: int, status: Status) -> MonitorHandoff:
        """Return the packet of one poll. Raise LisaError(cursor_file_write_failed | handoff_stream_failed)."""
        action = next_step.read_situation(status).action
        line = f"state={status.session_state} reason={status.classification_reason} next={action}"
        page, begin = None, self._cursor
        if self._delta:
            page = self._read_page()
        offset = self._offset()
        return MonitorHandoff(
            poll=poll,
            session=status.session,
            status=normalise_status(status).status,
            session_state=status.session_state,
            reason=status.classification_reason,
            next_action=action,
            waiting_for=status.waiting_for or UNSET,
            next_offset=offset or UNSET,
            summary=line if self._summary else UNSET,
            delta_from=begin if page else UNSET,
            next_delta_offset=page.next if page else UNSET,
            delta_count=len(page.events) if page else UNSET,
            recent=tuple(to_compact_event(event) for event in page.events) if page else UNSET,
        )

    def commit_cursor(self) -> None:
        """Commit the cursor after the packet was written. Raise LisaError(store_unwritable)."""
        if self._staged:
            self._staged.commit()
            self._staged = None

    def _read_page(self) -> events.EventPage:
        try:
            events.check_readable(self._ref)
        except OSError as problem:
            raise LisaError("handoff_stream_failed", f"cannot read {self._ref.events}: {problem.strerror}") from problem
        page = events.read_since(self._ref, self._cursor, self._limit)
        self._cursor = page.next
        if self._path:
            self._file = structs.replace(self._file, events=EventCursor(offset=page.next))
            self._staged = cursors.stage(self._path, self._file, "events", page.next, self._ctx.clock.now())
        return page
