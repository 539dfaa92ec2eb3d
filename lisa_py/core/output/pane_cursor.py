"""Find the position of a pane reader: by the bytes the session printed, or by the last lines read.

A count is exact while the pane holds everything from its first line on. After that only the content is reliable, so
a cursor file also keeps the digests of the last lines; if they are gone, the gap is reported.

"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from msgspec import Struct

from lisa_py.core.output.pane_text import PaneText, size_of
from lisa_py.store.cursors import Anchor, PaneCursor

ANCHORS = 32
TOP_LINES = 8
"""Number of first lines that distinguish one cleared screen from the next."""
_MIN_MATCHES = 3
"""Number of non-empty lines that must match, if the cursor has that many."""


class PaneDelta(Struct, frozen=True, kw_only=True):
    """New part of a pane: the rest of row `first` after `skip` characters, and the rows up to `end`."""

    first: int
    skip: int = 0
    end: int
    cursor: PaneCursor
    """Position of the reader after this part."""
    reset: str = ""
    """Reason for a gap: other_session, history_trimmed, screen_redrawn, offset_beyond_output."""


def read_all(text: PaneText, run_id: str, *, reset: str = "", before: PaneCursor | None = None) -> PaneDelta:
    """Return everything in the pane; `before` is the cursor that was not found and whose count continues."""
    previous = before if before and not text.whole and reset != "other_session" else PaneCursor()
    cursor = _make_cursor(text, run_id, offset=previous.offset + text.size, line=previous.line + text.settled)
    return PaneDelta(first=0, end=text.settled, cursor=cursor, reset=reset)


def since_offset(text: PaneText, offset: int, run_id: str) -> PaneDelta:
    """Return the output after a number of bytes."""
    if offset <= 0:
        return read_all(text, run_id)
    if not text.whole:
        return read_all(text, run_id, reset="screen_redrawn" if text.pane.alternate else "history_trimmed")
    if offset > text.size:
        if offset > size_of(text.lines):
            return read_all(text, run_id, reset="offset_beyond_output")
        return _empty_delta(text, run_id, offset)  # counted when the redrawn part at the bottom was smaller
    row, skip = _locate_offset(text.lines, offset)
    return _delta_at(text, row, skip, _make_cursor(text, run_id, offset=text.size, line=text.settled))


def since_cursor(text: PaneText, cursor: PaneCursor, run_id: str) -> PaneDelta:
    """Return the output after the lines of a cursor."""
    if cursor.run_id and run_id and cursor.run_id != run_id:
        return read_all(text, run_id, reset="other_session")
    if not cursor.anchors:
        return since_offset(text, cursor.offset, run_id)
    found = _find(text, cursor)
    if found is None:
        why = "screen_redrawn" if text.pane.alternate or text.whole else "history_trimmed"
        return read_all(text, run_id, reset=why, before=cursor)
    row, dropped = found
    skip = len(text.lines[row]) if dropped else _characters(text.lines[row], cursor.anchors[-1].size)
    if text.whole:
        return _delta_at(text, row, skip, _make_cursor(text, run_id, offset=text.size, line=text.settled))
    again = sum(anchor.size + 1 for anchor in cursor.anchors[len(cursor.anchors) - dropped :])
    added = size_of(text.lines[row : max(row + 1, text.settled)]) - len(
        text.lines[row][:skip].encode("utf-8", "replace")
    )
    line = cursor.line - dropped + max(0, text.settled - row - 1)
    return _delta_at(
        text, row, skip, _make_cursor(text, run_id, offset=max(0, cursor.offset - again + added), line=line)
    )


def _delta_at(text: PaneText, row: int, skip: int, cursor: PaneCursor) -> PaneDelta:
    """Return the output from a position on. At a line end it begins with a line feed: concatenated deltas are the
    whole."""
    return PaneDelta(first=row, skip=skip, end=max(row + 1, text.settled), cursor=cursor)


def _empty_delta(text: PaneText, run_id: str, offset: int) -> PaneDelta:
    cursor = _make_cursor(text, run_id, offset=offset, line=text.settled)
    return PaneDelta(first=text.settled, end=text.settled, cursor=cursor)


def _make_cursor(text: PaneText, run_id: str, *, offset: int, line: int) -> PaneCursor:
    last = text.lines[max(0, text.settled - ANCHORS) : text.settled]
    top = text.lines[: min(TOP_LINES, text.settled)] if text.from_top else ()
    return PaneCursor(
        offset=offset,
        run_id=run_id,
        line=line,
        anchors=tuple(map(_anchor, last)),
        rows=text.settled,
        top=tuple(map(_anchor, top)),
    )


def _anchor(line: str) -> Anchor:
    raw = line.encode("utf-8", "replace")
    return Anchor(_digest(raw), len(raw))


def _digest(raw: bytes) -> str:
    return f"{crc32(raw):08x}"


def _locate_offset(lines: Sequence[str], offset: int) -> tuple[int, int]:
    """Return row and character at a byte offset of the joined lines."""
    start = 0
    for row, line in enumerate(lines):
        size = len(line.encode("utf-8", "replace"))
        if offset <= start + size:
            return row, _characters(line, offset - start)
        start += size + 1
    return len(lines), 0


def _characters(line: str, size: int) -> int:
    """Return the number of whole characters in a number of bytes."""
    return len(line.encode("utf-8", "replace")[: max(0, size)].decode("utf-8", "ignore"))


def _find(text: PaneText, cursor: PaneCursor) -> tuple[int, int] | None:
    """Return the row of the last remembered line that remains, and the number of newer lines rewritten since."""
    anchors = cursor.anchors
    keeps_rows = _keeps_rows(text, cursor)
    last = (cursor.line if text.whole else cursor.rows) - 1
    if keeps_rows and _is_at(text.lines, last, anchors):
        return last, 0  # the usual case, without a search
    for dropped in range(len(anchors)):
        kept = anchors[: len(anchors) - dropped]
        rows = _find_rows(text.lines, kept[-1], grows=not dropped)
        fits = [row for row in rows if _matches_anchors(text.lines, row, kept)]
        if fits:
            expected = last - dropped
            # the earliest match: repeated lines are better than missing ones
            return (min(fits, key=lambda row: abs(row - expected)) if keeps_rows else fits[0]), dropped
    return None


def _keeps_rows(text: PaneText, cursor: PaneCursor) -> bool:
    """Return True if lines are in the row where the cursor saw them: nothing above was trimmed or cleared since."""
    if text.whole or not text.from_top:
        return text.whole
    # cleared by the agent before the cursor was made (codex does with /new), and begins now as it began then
    return len(text.lines) >= len(cursor.top) > 0 and all(map(_matches_anchor, text.lines, cursor.top))


def _is_at(lines: Sequence[str], row: int, anchors: Sequence[Anchor]) -> bool:
    return (
        0 <= row < len(lines)
        and _matches_anchor(lines[row], anchors[-1], grows=True)
        and _matches_anchors(lines, row, anchors)
    )


def _find_rows(lines: Sequence[str], anchor: Anchor, *, grows: bool) -> list[int]:
    return [row for row, line in enumerate(lines) if _matches_anchor(line, anchor, grows=grows)]


def _matches_anchor(line: str, anchor: Anchor, *, grows: bool = False) -> bool:
    raw = line.encode("utf-8", "replace")
    if len(raw) < anchor.size or (len(raw) != anchor.size and not grows):
        return False
    return _digest(raw[: anchor.size]) == anchor.digest


def _matches_anchors(lines: Sequence[str], row: int, anchors: Sequence[Anchor]) -> bool:
    """Return True if the remembered lines are above this row (as far as the pane reaches), with enough text."""
    needed = min(_MIN_MATCHES, sum(anchor.size > 0 for anchor in anchors))
    matched = int(anchors[-1].size > 0)
    for back in range(1, min(len(anchors), row + 1)):
        if not _matches_anchor(lines[row - back], anchors[-1 - back]):
            return False
        matched += anchors[-1 - back].size > 0
    return matched >= min(needed, row + 1) and matched > 0
