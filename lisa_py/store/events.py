"""A session's event log: an append-only sequence whose numbers survive trimming, so no cursor ever dies."""

from __future__ import annotations

import os
from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.contract.records import Event
from lisa_py.host import files
from lisa_py.host.clock import rfc3339
from lisa_py.host.env import Settings
from lisa_py.store.places import Place

_TAIL = 1 << 16


class Page(Struct, frozen=True):
    """Some events in order, and where the next reader goes on."""

    events: tuple[Event, ...]
    next: int
    """Cursor for the next read: the sequence number of the last event returned, or of the log's end."""
    dropped: int = 0
    """Lines that could not be read."""
    missed: int = 0
    """Events between the cursor and the oldest one kept: trimmed away before they were read."""
    more: int = 0
    """Events after this page, left for the next read."""


def add(place: Place, settings: Settings, now: float, **fields: Any) -> Event:
    """Append one event under the log's lock. Raises LisaError(event_lock_timeout | store_unwritable)."""
    files.private_dir(place.folder)
    folder = files.private_dir(os.path.join(place.project.folder, "locks"))
    with files.lock(
        os.path.join(folder, place.session + ".events"),
        timeout_ms=settings.event_lock_timeout_ms,
        code="event_lock_timeout",
    ):
        event = Event(seq=_last_seq(place.events) + 1, at=rfc3339(now, fraction=True), session=place.session, **fields)
        files.append(place.events, msgspec.json.encode(event) + b"\n")
        _trim(place.events, settings, event.seq)
    return event


def restart(place: Place, settings: Settings) -> None:
    """Drop all but the newest event: a new session of this name starts its log, and its numbers go on."""
    if files.size(place.events) <= 0:
        return
    folder = files.private_dir(os.path.join(place.project.folder, "locks"))
    with files.lock(
        os.path.join(folder, place.session + ".events"),
        timeout_ms=settings.event_lock_timeout_ms,
        code="event_lock_timeout",
    ):
        events, _ = _parse(_lines(place.events))
        files.write(place.events, b"".join(msgspec.json.encode(event) + b"\n" for event in events[-1:]))


def tail(place: Place, count: int) -> Page:
    """The newest events."""
    events, dropped = _parse(_lines(place.events))
    return Page(tuple(events[-count:]), events[-1].seq if events else 0, dropped)


def must_be_readable(place: Place) -> None:
    """For readers with a cursor, to whom an unreadable log must not look like an empty one. Raises OSError."""
    files.read(place.events, limit=1)


def since(place: Place, cursor: int, count: int) -> Page:
    """The oldest events after a cursor, at most `count`: the rest stays for the next read."""
    events, dropped = _parse(_lines(place.events))
    first, last = (events[0].seq, events[-1].seq) if events else (1, 0)
    cursor = max(0, min(cursor, last))  # a cursor from beyond the end belongs to an earlier session of this name
    fresh = [event for event in events if event.seq > cursor]
    page = fresh[:count]
    return Page(
        tuple(page),
        page[-1].seq if page else cursor,
        dropped,
        missed=max(0, first - 1 - cursor) if events else 0,
        more=len(fresh) - len(page),
    )


def _lines(path: str) -> list[bytes]:
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
    size = files.size(path)
    if size <= 0:
        return 0
    window = _TAIL
    while True:
        raw = files.read_from(path, max(0, size - window), window)
        lines = raw.split(b"\n")
        if window < size:
            lines = lines[1:]
        events, _ = _parse([line for line in lines if line.strip()])
        if events:
            return events[-1].seq
        if window >= size:
            return 0
        window *= 8


def _trim(path: str, settings: Settings, newest: int) -> None:
    """Halve the log when it is over a cap, so that the rewrite is rare."""
    if files.size(path) <= settings.events_max_bytes and not _too_many(path, settings, newest):
        return
    kept: list[bytes] = []
    room = settings.events_max_bytes // 2
    for line in reversed(_lines(path)):
        room -= len(line) + 1
        if (room < 0 and kept) or len(kept) >= max(1, settings.events_max_lines // 2):
            break
        kept.append(line)
    files.write(path, b"\n".join(reversed(kept)) + b"\n")


def _too_many(path: str, settings: Settings, newest: int) -> bool:
    # an event is at least 60 bytes: look only when there can be too many
    if files.size(path) < 60 * settings.events_max_lines:
        return False
    oldest, _ = _parse([files.read_from(path, 0, _TAIL).partition(b"\n")[0]])
    if not oldest:
        return len(_lines(path)) > settings.events_max_lines
    return newest - oldest[0].seq >= settings.events_max_lines
