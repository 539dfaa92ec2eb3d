"""Count the output of a pane without reading rows that were counted before."""

from __future__ import annotations

from itertools import pairwise
from zlib import crc32

from msgspec import UNSET, UnsetType

from lisa_py import agents
from lisa_py.core.context import Context
from lisa_py.core.output import pane_text
from lisa_py.core.output.pane_text import START_ROWS, PaneText, size_of
from lisa_py.host.pane import Pane
from lisa_py.host.tmux import Tmux, trim_screen
from lisa_py.store import pane_counts
from lisa_py.store.pane_counts import PaneCount
from lisa_py.store.paths import SessionRef
from lisa_py.terminal import layout
from lisa_py.terminal.layout import Layout

_MIN_ROWS = 1000
"""Number of uncounted history rows from which a new count is saved; fewer are read as fast as a record."""
_MARGIN_ROWS = 200
"""Number of history rows directly above the screen that stay uncounted: the redrawn part may begin there."""
_CUT_ROWS = 64
"""Number of rows searched for the beginning of a line."""
_TOP_ROWS = 4
_ANCHOR_SIZE = 256
_ROWS_OF_LINE = 4
_TRIES = 3
_CONTEXT_LINES = 8
"""Number of non-empty lines that decide where the redrawn part of a screen begins, with some to spare."""


def next_offset(ctx: Context, ref: SessionRef, pane: Pane | UnsetType | None = UNSET) -> int:
    """Return the offset of a reader that has read everything (`capture --raw --delta-from`); 0 without a session.

    `pane` saves the query if the caller has it. Raise TmuxUnavailable if tmux cannot be queried.
    """
    server = ctx.server(ref)
    shown = ctx.find_pane(ref) if isinstance(pane, UnsetType) else pane
    if shown is None:
        return 0
    counted = _read_counted(server, ref, shown, 0) if shown.history > _MIN_ROWS else None
    if counted is not None:
        return counted[0]
    found = pane_text.read(ctx, ref, shown)
    return found.size if found else 0


def read_end(ctx: Context, ref: SessionRef, count: int, pane: Pane | UnsetType | None = UNSET) -> PaneText | None:
    """Return at least the last `count` lines with the size of all output; None without a session.

    Of a long history no row is read that was counted before, but for those lines. Raise as `next_offset`.
    """
    server = ctx.server(ref)
    shown = ctx.find_pane(ref) if isinstance(pane, UnsetType) else pane
    if shown is None:
        return None
    if shown.history > max(_MIN_ROWS, count + START_ROWS):
        # a line may take several rows
        counted = _read_counted(server, ref, shown, min(_ROWS_OF_LINE * count, shown.history - START_ROWS))
        if counted is not None:
            size, text = counted
            found = pane_text.build_tail(ref, shown, text, size)
            if len(found.lines) >= count:
                return found
    return pane_text.read(ctx, ref, shown)


def _read_counted(server: Tmux, ref: SessionRef, pane: Pane, rows: int) -> tuple[int, str] | None:
    """Return the bytes of settled output, and the text of the screen with `rows` rows above it.

    None if the pane must be read whole.
    """
    meta = pane_text.read_meta_or_default(ref)
    if not meta.run_id or pane.alternate:
        return None
    known = pane_counts.load(ref)
    start = known if known and _fits(known, pane, meta.run_id) else None
    return _count(server, ref, pane, meta.run_id, start, agents.layout_of(meta), rows)


def _fits(known: PaneCount, pane: Pane, run_id: str) -> bool:
    """Return True if the counted rows may still be in the pane; a resized pane rearranges its rows."""
    same = (known.run_id, known.pane_id, known.width, known.height) == (run_id, pane.pane_id, pane.width, pane.height)
    return same and _ANCHOR_SIZE <= known.rows <= pane.history - _MARGIN_ROWS // 2


def _count(
    server: Tmux, ref: SessionRef, pane: Pane, run_id: str, known: PaneCount | None, signs: Layout, end_rows: int
) -> tuple[int, str] | None:
    """Return the bytes of settled output and the text of the last rows; None if the pane must be read whole."""
    start = known.rows if known else 0
    history = pane.history
    for _ in range(_TRIES):
        cut = max(start, history - _MARGIN_ROWS)
        rows = [(0, _TOP_ROWS - 1), (max(0, start - _ANCHOR_SIZE), max(0, start - 1)), (start, None), (cut, None)]
        rows.append((max(0, history - end_rows), None))
        taken = server.capture_rows(pane.pane_id, history, rows, (cut, cut + _CUT_ROWS - 1))
        if taken is None:
            return None
        now, texts = taken
        if now == history:
            break
        history = now  # printed in between: the row numbers were those of other rows
        if history - _MARGIN_ROWS // 2 < start:
            return None
    else:
        return None
    top, before, text, tail, end, cut_rows = texts
    first = next((line for line in top.split("\n") if line.strip()), "")
    if not first.startswith(f"{layout.START_MARK}:{run_id}:") or (known and _digest(before) != known.anchor):
        return None  # trimmed or cleared
    size = _size_after(text, known, signs, dead=pane.dead)
    if size is not None and history - start > _MIN_ROWS and text.endswith(tail):
        _remember(ref, pane, run_id, known, text[: len(text) - len(tail)], tail, cut_rows, cut)
    return None if size is None else (size, trim_screen(end))


def _size_after(text: str, known: PaneCount | None, signs: Layout, *, dead: bool) -> int | None:
    """Return the offset at the end of a text that follows the counted rows; None if it is too short to decide."""
    lines = tuple(line.rstrip() for line in text.rstrip().split("\n"))
    settled = len(lines) if dead else signs.frame_start(lines)
    if known is None:
        return size_of(lines[:settled])
    if settled < 2 or sum(map(bool, lines[2:])) < _CONTEXT_LINES:
        return None
    return known.size + size_of(lines[:settled])


def _remember(
    ref: SessionRef, pane: Pane, run_id: str, known: PaneCount | None, head: str, tail: str, cut_rows: str, cut: int
) -> None:
    """Save the count of all rows above the newest beginning of a line in `cut_rows`, the first rows of `tail`."""
    found = _find_line_start(tail, cut_rows.split("\n")[:-1])
    if found is None:
        return
    row, size = found
    counted = head + tail[:size]
    lines = counted.split("\n")[:-1]
    total = (known.size if known else 0) + size_of(tuple(line.rstrip() for line in lines)) + 1
    count = PaneCount(
        run_id=run_id,
        pane_id=pane.pane_id,
        width=pane.width,
        height=pane.height,
        rows=cut + row,
        size=total,
        anchor=_digest(counted),
    )
    pane_counts.save(ref, count)


def _find_line_start(joined: str, rows: list[str]) -> tuple[int, int] | None:
    """Return the last row that begins a line, and its position in the text with soft-wrapped rows joined."""
    found = None
    position = 0
    for row, (text, following) in enumerate(pairwise(rows), 1):
        visible = text.rstrip(" ")
        if not joined.startswith(visible, position):
            break
        position += len(visible)
        # tmux 3.4 fills rows with blanks that the joined text lacks
        blanks = len(text) - len(visible)
        while blanks and joined.startswith(" ", position):
            position, blanks = position + 1, blanks - 1
        if joined.startswith("\n", position):
            position += 1
            if following.strip():
                found = row, position
    return found


def _digest(text: str) -> str:
    return f"{crc32(text[-_ANCHOR_SIZE:].encode('utf-8', 'replace')):08x}"
