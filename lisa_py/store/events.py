"""Event log of a session: append-only, with sequence numbers that stay valid after trimming."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.contract.records import Event
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.env import Settings
from lisa_py.store import paths, session_folder
from lisa_py.store.paths import SessionRef
from lisa_py.store.record import DAY, StoreRecord

_TAIL = 1 << 16
WHOLE_BYTES = 4 << 20
"""Size up to which a log is read whole; a larger one, which only other programs write, is read from its end."""


class EventPage(Struct, frozen=True):
    """Events in order, and the cursor of the next read."""

    events: tuple[Event, ...]
    next: int
    """Sequence number of the last event returned, or of the end of the log."""
    dropped: int = 0
    """Number of unreadable lines."""
    missed: int = 0
    """Number of events after the cursor that were trimmed before they were read."""
    more: int = 0
    """Number of events left for the next read."""


def add(ref: SessionRef, settings: Settings, now: float, **fields: Any) -> Event:
    """Append one event under the log's lock. Raises LisaError(event_lock_timeout | store_unwritable)."""
    files.ensure_private_dir(ref.folder)
    folder = files.ensure_private_dir(os.path.join(ref.project.folder, "locks"))
    with files.lock(
        os.path.join(folder, ref.session + ".events"),
        timeout_ms=settings.event_lock_timeout_ms,
        code="event_lock_timeout",
    ):
        event = Event(
            seq=_last_seq(ref.events) + 1, at=format_rfc3339(now, fraction=True), session=ref.session, **fields
        )
        files.append(ref.events, msgspec.json.encode(event) + b"\n")
        _trim(ref.events, settings, event.seq)
    return event


def restart(ref: SessionRef, settings: Settings) -> None:
    """Drop all but the newest event, so that a new session of this name continues the numbers."""
    if files.size(ref.events) <= 0:
        return
    folder = files.ensure_private_dir(os.path.join(ref.project.folder, "locks"))
    with files.lock(
        os.path.join(folder, ref.session + ".events"),
        timeout_ms=settings.event_lock_timeout_ms,
        code="event_lock_timeout",
    ):
        events, _ = _parse(_read_lines(ref.events))
        files.write(ref.events, b"".join(msgspec.json.encode(event) + b"\n" for event in events[-1:]))


def read_tail(ref: SessionRef, count: int) -> EventPage:
    """Return the newest events; of a log over WHOLE_BYTES only its end is read and counted in `dropped`."""
    events, dropped = _read_newest(ref.events, lambda events: len(events) >= count, limit=WHOLE_BYTES)
    return EventPage(tuple(events[-count:]), events[-1].seq if events else 0, dropped)


def check_readable(ref: SessionRef) -> None:
    """Raise OSError if the log cannot be read, which a reader must not take for an empty log."""
    files.read(ref.events, limit=1)


def read_since(ref: SessionRef, cursor: int, count: int) -> EventPage:
    """Return the oldest events after a cursor, at most `count`."""
    events, dropped = _read_newest(ref.events, lambda events: bool(events) and events[0].seq <= cursor)
    first, last = (_first_seq(ref.events) or events[0].seq, events[-1].seq) if events else (1, 0)
    cursor = max(0, min(cursor, last))  # a cursor after the end belongs to an earlier session of this name
    fresh = [event for event in events if event.seq > cursor]
    page = fresh[:count]
    return EventPage(
        tuple(page),
        page[-1].seq if page else cursor,
        dropped,
        missed=max(0, first - 1 - cursor) if events else 0,
        more=len(fresh) - len(page),
    )


def _read_newest(path: str, enough: Callable[[list[Event]], bool], limit: int | None = None) -> tuple[list[Event], int]:
    """Return the events and the number of unreadable lines; of a large log only as many as are enough."""
    if files.size(path) <= WHOLE_BYTES:
        return _parse(_read_lines(path))
    found: list[Event] = []
    dropped = 0
    for _, lines in files.read_lines_backwards(path, _TAIL, limit):
        events, unreadable = _parse([line for line in lines.split(b"\n") if line.strip()])
        found[:0] = events
        dropped += unreadable
        if enough(found):
            break
    return found, dropped


def _read_lines(path: str) -> list[bytes]:
    try:
        raw = files.read(path) or b""
    except OSError:
        return []
    lines = raw.split(b"\n")
    return [line for line in lines if line.strip()]


def _parse(lines: list[bytes]) -> tuple[list[Event], int]:
    events, dropped = [], 0
    for line in lines:
        try:
            events.append(jsontext.decode(line, Event))
        except msgspec.DecodeError:
            dropped += 1
    return events, dropped


def _last_seq(path: str) -> int:
    for _, lines in files.read_lines_backwards(path, _TAIL):
        events, _ = _parse([line for line in lines.split(b"\n") if line.strip()])
        if events:
            return events[-1].seq
    return 0


def _first_seq(path: str) -> int:
    """Return the number of the first event; 0 if the first line is none."""
    oldest, _ = _parse([files.read_from(path, 0, _TAIL).partition(b"\n")[0]])
    return oldest[0].seq if oldest else 0


def _trim(path: str, settings: Settings, newest: int) -> None:
    """Halve a log that exceeds a limit, so that rewrites are rare."""
    if files.size(path) <= settings.events_max_bytes and not _has_too_many_lines(path, settings, newest):
        return
    kept: list[bytes] = []
    bytes_left = settings.events_max_bytes // 2
    for line in reversed(_read_lines(path)):
        bytes_left -= len(line) + 1
        if (bytes_left < 0 and kept) or len(kept) >= max(1, settings.events_max_lines // 2):
            break
        kept.append(line)
    files.write(path, b"\n".join(reversed(kept)) + b"\n")


def _has_too_many_lines(path: str, settings: Settings, newest: int) -> bool:
    # an event has at least 60 bytes: count only if there can be too many
    if files.size(path) < 60 * settings.events_max_lines:
        return False
    oldest = _first_seq(path)
    if not oldest:
        return len(_read_lines(path)) > settings.events_max_lines
    return newest - oldest >= settings.events_max_lines


def prune(folder: str, settings: Settings, now: float) -> int:
    """Remove the logs of killed sessions after LISA_EVENT_RETENTION_DAYS and return their number."""
    removed = 0
    oldest = now - settings.event_retention_days * DAY
    for name in paths.list_session_names(folder):
        path = os.path.join(folder, "sessions", name)
        is_log_only = session_folder.list_entries(path) == [session_folder.EVENTS]
        if is_log_only and files.modified_at(os.path.join(path, session_folder.EVENTS)) < oldest:
            files.remove_tree(path)
            files.remove(os.path.join(folder, "locks", name + ".events"))
            removed += 1
    return removed


RECORD = StoreRecord(check=None, snapshot=None, prune=prune)
