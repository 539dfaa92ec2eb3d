"""Newest output of a session: from its transcript, else from its pane, else from its saved screen."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.core.output import conversation, noise, pane_capture, pane_offset, pane_text
from lisa_py.core.output import pane_cursor as output_pane_cursor
from lisa_py.core.output.pane_text import PaneText
from lisa_py.core.redact.redactor import MARGIN, Mask
from lisa_py.host import files
from lisa_py.host.pane import Pane
from lisa_py.store.cursors import PaneCursor, TranscriptCursor
from lisa_py.store.paths import SessionRef


class OutputTail(Struct, frozen=True, kw_only=True):
    """Some last lines, and the positions of pane and transcript readers after them."""

    lines: tuple[str, ...] = ()
    source: str = "none"
    """transcript, pane, saved (the last screen of an ended session), archive or none."""
    next_offset: int = 0
    """Of the pane: the value for `capture --raw --delta-from`."""
    pane: PaneCursor | None = None
    transcript: TranscriptCursor | None = None


def read(
    ctx: Context,
    ref: SessionRef,
    count: int,
    mask: Mask,
    *,
    dialog: bool = False,
    pane: PaneText | UnsetType | None = UNSET,
    record: Pane | UnsetType | None = UNSET,
) -> OutputTail:
    """Return the last `count` lines, redacted before they are cut; with `dialog` the bottom of the screen matters.

    Without tmux it returns what can be read without it; `pane` saves the query if the caller has it. With `record`
    (the pane without its text) the text is read only without a transcript, and the result has no pane cursor.
    """
    by_record = not isinstance(record, UnsetType)
    text = None if by_record else _try_read_pane(ctx, ref) if isinstance(pane, UnsetType) else pane
    pane_cursor = output_pane_cursor.read_all(text, pane_text.read_meta_or_default(ref).run_id).cursor if text else None
    shown = text.pane if text else None if isinstance(record, UnsetType) else record
    location = conversation.locate(ctx, ref, shown)
    if not location.reason:
        excerpt = conversation.read_newest(location, lambda so_far: so_far.text.count("\n") >= count + MARGIN)
        if excerpt.messages:
            lines = _cut(excerpt.text.split("\n"), count, mask)
            offset = _count_output(ctx, ref, shown) if by_record else text.size if text else 0
            return OutputTail(
                lines=lines, source="transcript", next_offset=offset, pane=pane_cursor, transcript=excerpt.cursor
            )
    if by_record:
        text = _try_read_pane(ctx, ref, shown)
    if text is not None:
        lines = _cut(_pane_lines(text, ref, dialog), count, mask)
        return OutputTail(lines=lines, source="pane", next_offset=text.size, pane=pane_cursor)
    saved = files.read_from(ref.output, 0, 1 << 20).decode("utf-8", "replace").rstrip("\n")
    return OutputTail(lines=_cut(saved.split("\n"), count, mask), source="saved") if saved else OutputTail()


def _try_read_pane(ctx: Context, ref: SessionRef, pane: Pane | UnsetType | None = UNSET) -> PaneText | None:
    try:
        return pane_text.read(ctx, ref, pane)
    except TmuxUnavailable:
        return None


def _count_output(ctx: Context, ref: SessionRef, pane: Pane | None) -> int:
    try:
        return pane_offset.next_offset(ctx, ref, pane)
    except TmuxUnavailable:
        return 0


def _pane_lines(text: PaneText, ref: SessionRef, dialog: bool) -> list[str]:
    """Return the lines without start-up lines and redrawn part, unless nothing else is visible."""
    noise_filter = pane_capture.strip_noise(text, pane_text.read_meta_or_default(ref))
    if dialog:
        return noise.remove_rulers(text.lines, noise_filter).apply(text.lines)
    settled = noise_filter.apply(text.lines[: text.settled])
    return settled if any(line.strip() for line in settled) else noise_filter.apply(text.lines)


def _cut(lines: list[str], count: int, mask: Mask) -> tuple[str, ...]:
    near = "\n".join(lines[-(count + MARGIN) :]).strip("\n")
    return mask.mask_lines(near.split("\n"))[-count:] if near else ()
