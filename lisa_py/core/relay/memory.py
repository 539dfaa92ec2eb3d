"""Remembers what a session last showed, and tells what is new or gone since it was remembered."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.core.relay import pane_capture, pane_text, semantic
from lisa_py.core.relay.masking import Mask
from lisa_py.host import files
from lisa_py.host.clock import rfc3339
from lisa_py.store import memory as memories
from lisa_py.store.memory import Memory
from lisa_py.store.places import Place

WINDOW = 320
"""Lines of the pane that are looked at."""
_BLOCK = 8
_LONG = 24
"""Bytes from which on a line is not the same as another by chance."""


class Shown(Struct, frozen=True):
    """The meaningful lines a session shows now, oldest first, and where they were read."""

    lines: tuple[str, ...]
    source: str
    """pane, saved (the last screen of an ended session) or none."""


class Line(Struct, frozen=True):
    line: str
    confidence: str
    """high, or medium for a line so short that it may stand there by chance."""


class Diff(Struct, frozen=True):
    """What two looks have apart and in common."""

    added: tuple[Line, ...]
    removed: tuple[Line, ...]
    unchanged: int


class Refreshed(Struct, frozen=True, kw_only=True):
    """A memory that was just renewed."""

    memory: Memory
    previous: tuple[str, ...]
    delta: tuple[str, ...]
    source: str
    recovered: bool
    """A corrupt memory was moved aside."""


class MemoryBlock(Struct, frozen=True, kw_only=True, rename="camel"):
    """A session's memory in short, for batons and packs."""

    updated_at: str
    expires_at: str
    line_count: int
    lines: tuple[str, ...]


def shown(ctx: Context, place: Place) -> Shown:
    """What the session shows: its pane, else its saved last screen. Raises TmuxUnavailable."""
    found = pane_text.read(ctx, place)
    if found is not None:
        first = max(0, len(found.lines) - WINDOW)
        kept = pane_capture.sift(found, pane_text.meta_of(place)).of(found.lines, first)
        lines = semantic.lines_of("\n".join(kept))
        if lines:
            return Shown(tuple(lines), "pane")
    saved = files.read_from(place.output, 0, 1 << 20).decode("utf-8", "replace")
    lines = semantic.lines_of(saved)
    return Shown(tuple(lines), "saved" if lines else "pane" if found is not None else "none")


def refresh(ctx: Context, place: Place, *, ttl_hours: int, max_lines: int) -> Refreshed:
    """Remember what the session shows now. A session that is gone shows nothing, which makes nothing forgotten.

    Raises LisaError(memory_refresh_failed).
    """
    try:
        now_shown = shown(ctx, place)
    except TmuxUnavailable as problem:
        raise LisaError("memory_refresh_failed", problem.message, session=place.session) from problem
    now = ctx.clock.now()
    with memories.registry(place).change(ctx.settings, now) as opened:
        previous = opened.content.lines if opened.content.live(now) else ()
        lines = now_shown.lines if now_shown.source != "none" else previous
        current = lines[-max_lines:]
        opened.content = Memory(
            session=place.session,
            updated_at=rfc3339(now),
            expires_at=rfc3339(now + ttl_hours * 3600),
            max_lines=max_lines,
            lines=current,
        )
    return Refreshed(
        memory=opened.content,
        previous=previous,
        delta=tuple(semantic.new(current, previous)),
        source=now_shown.source,
        recovered=bool(opened.recovered),
    )


def recall(ctx: Context, place: Place) -> Memory:
    """The session's memory. Raises LisaError(memory_not_found | memory_read_failed)."""
    found = memories.registry(place).read()
    if not found.live(ctx.clock.now()):
        raise LisaError("memory_not_found", "no session memory found (run --refresh first)", session=place.session)
    found.lines = tuple(dict.fromkeys(found.lines))
    found.max_lines = found.max_lines if found.max_lines > 0 else memories.LINES
    return found


def diff(before: Sequence[str], after: Sequence[str]) -> Diff:
    """The lines only one of two looks has; times and durations do not make a line another one."""
    added, removed = semantic.new(after, before), semantic.new(before, after)
    return Diff(added=_lines(added), removed=_lines(removed), unchanged=len(after) - len(added))


def _lines(lines: Sequence[str]) -> tuple[Line, ...]:
    return tuple(Line(line, "high" if len(line.encode()) >= _LONG else "medium") for line in sorted(lines))


def block(ctx: Context, place: Place, mask: Mask) -> MemoryBlock | UnsetType:
    """The last lines of the session's memory, if it has a live one.

    Masked as a whole and then cut: the last lines alone may hide that they are part of a key.
    """
    found = memories.find(place, ctx.clock.now())
    if found is None:
        return UNSET
    return MemoryBlock(
        updated_at=found.updated_at,
        expires_at=found.expires_at,
        line_count=len(found.lines),
        lines=mask.lines(found.lines)[-_BLOCK:],
    )
