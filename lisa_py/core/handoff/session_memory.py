"""Store the last meaningful lines of a session, and compare them with the current ones."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.core.output import pane_capture, pane_text, semantic
from lisa_py.core.redact.redactor import Mask
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import session_memory
from lisa_py.store.paths import SessionRef
from lisa_py.store.session_memory import SessionMemory

WINDOW = 320
"""Number of pane lines to read."""
_BLOCK_LINES = 8
_LONG_BYTES = 24
"""Bytes from which on equal lines are not a coincidence."""


class ShownLines(Struct, frozen=True):
    """The current meaningful lines of a session, oldest first, and their source."""

    lines: tuple[str, ...]
    source: str
    """pane, saved (the last screen of an ended session) or none."""


class SemanticDiffLine(Struct, frozen=True):
    line: str
    confidence: str
    """high, or medium for a line so short that it may be a coincidence."""


class SemanticDiff(Struct, frozen=True):
    """Differences and common lines of two reads."""

    added: tuple[SemanticDiffLine, ...]
    removed: tuple[SemanticDiffLine, ...]
    unchanged: int


class MemoryRefreshResult(Struct, frozen=True, kw_only=True):
    """A refreshed memory."""

    memory: SessionMemory
    previous: tuple[str, ...]
    delta: tuple[str, ...]
    source: str
    recovered: bool
    """True if a corrupt memory was moved aside."""


class MemoryBlock(Answer):
    """Summary of the memory of a session, for handoffs and packs."""

    updated_at: str
    expires_at: str
    line_count: int
    lines: tuple[str, ...]


def read_shown_lines(ctx: Context, ref: SessionRef) -> ShownLines:
    """Return the lines of the pane, else of the saved last screen. Raise TmuxUnavailable."""
    found = pane_text.read(ctx, ref)
    meta = pane_text.read_meta_or_default(ref)
    signs = agents.layout_of(meta)
    if found is not None:
        first = max(0, len(found.lines) - WINDOW)
        kept = pane_capture.strip_noise(found, meta).apply(found.lines, first)
        lines = semantic.extract_lines("\n".join(kept), signs)
        if lines:
            return ShownLines(tuple(lines), "pane")
    saved = files.read_from(ref.output, 0, 1 << 20).decode("utf-8", "replace")
    lines = semantic.extract_lines(saved, signs)
    return ShownLines(tuple(lines), "saved" if lines else "pane" if found is not None else "none")


def refresh(ctx: Context, ref: SessionRef, *, ttl_hours: int, max_lines: int) -> MemoryRefreshResult:
    """Store the current lines of the session. A missing session has none and removes none.

    Raise LisaError(memory_refresh_failed).
    """
    try:
        current_lines = read_shown_lines(ctx, ref)
    except TmuxUnavailable as problem:
        raise LisaError("memory_refresh_failed", problem.message, session=ref.session) from problem
    now = ctx.clock.now()
    with session_memory.registry(ref).change(ctx.settings, now) as opened:
        previous = opened.content.lines if opened.content.is_current(now) else ()
        lines = current_lines.lines if current_lines.source != "none" else previous
        current = lines[-max_lines:]
        opened.content = SessionMemory(
            session=ref.session,
            updated_at=format_rfc3339(now),
            expires_at=format_rfc3339(now + ttl_hours * 3600),
            max_lines=max_lines,
            lines=current,
        )
    return MemoryRefreshResult(
        memory=opened.content,
        previous=previous,
        delta=tuple(semantic.find_new(current, previous)),
        source=current_lines.source,
        recovered=bool(opened.recovered),
    )


def read_memory(ctx: Context, ref: SessionRef) -> SessionMemory:
    """Return the memory of the session. Raise LisaError(memory_not_found | memory_read_failed)."""
    found = session_memory.registry(ref).read()
    if not found.is_current(ctx.clock.now()):
        raise LisaError("memory_not_found", "no session memory found (run --refresh first)", session=ref.session)
    found.lines = tuple(dict.fromkeys(found.lines))
    found.max_lines = found.max_lines if found.max_lines > 0 else session_memory.LINES
    return found


def diff(before: Sequence[str], after: Sequence[str]) -> SemanticDiff:
    """Return the lines that only one of two reads has, compared without times and durations."""
    added, removed = semantic.find_new(after, before), semantic.find_new(before, after)
    return SemanticDiff(added=_rate_lines(added), removed=_rate_lines(removed), unchanged=len(after) - len(added))


def _rate_lines(lines: Sequence[str]) -> tuple[SemanticDiffLine, ...]:
    return tuple(
        SemanticDiffLine(line, "high" if len(line.encode()) >= _LONG_BYTES else "medium") for line in sorted(lines)
    )


def build_block(ctx: Context, ref: SessionRef, mask: Mask) -> MemoryBlock | UnsetType:
    """Return the last lines of the memory, if it is still valid.

    Redacted as a whole and then cut: the last lines alone may hide that they are part of a key.
    """
    found = session_memory.find(ref, ctx.clock.now())
    if found is None:
        return UNSET
    return MemoryBlock(
        updated_at=found.updated_at,
        expires_at=found.expires_at,
        line_count=len(found.lines),
        lines=mask.mask_lines(found.lines)[-_BLOCK_LINES:],
    )
