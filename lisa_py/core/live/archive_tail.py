"""Read the newest lines of the conversation of an archived session."""

from __future__ import annotations

from lisa_py.core.context import Context
from lisa_py.core.live import attach
from lisa_py.core.live.archive import ArchivedFeed
from lisa_py.core.output.tail import OutputTail
from lisa_py.core.redact.redactor import MARGIN, Mask
from lisa_py.store.paths import SessionRef
from lisa_py.terminal import frame_lines


def read_tail(ctx: Context, ref: SessionRef, count: int, mask: Mask) -> OutputTail:
    """Return the last `count` lines, redacted before they are cut. Raise LisaError(archive_unreadable)."""
    feed = ArchivedFeed(ctx, ref)
    frames = attach.read_history(feed, lambda frame: not frame_lines.is_noise(frame), limit=count + MARGIN)
    lines = [line for frame in frames for line in frame_lines.format_frame(frame, colors=False, verbose=False)]
    kept = mask.mask_lines(lines[-count - MARGIN :])[-count:]
    return OutputTail(lines=tuple(kept), source="archive" if kept else "none")
