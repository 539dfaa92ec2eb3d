"""Capture the pane: its last lines or the new ones, without start-up lines, prompts distinguished from output."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from lisa_py import agents
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.output import conversation, noise, pane_text, prompt_echo, semantic
from lisa_py.core.output import pane_cursor as output_pane_cursor
from lisa_py.core.output.capture_request import CaptureReader, CaptureRequest, Progress
from lisa_py.core.output.markers import SearchLine
from lisa_py.core.output.noise import NoiseFilter
from lisa_py.core.output.pane_text import PaneText
from lisa_py.core.redact.redactor import MARGIN, Mask
from lisa_py.store import cursors, session_records
from lisa_py.store.cursors import PaneCursor
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import SessionRef
from lisa_py.terminal import layout
from lisa_py.terminal.layout import Layout


class PaneCapture(Struct, frozen=True, kw_only=True):
    lines: tuple[SearchLine, ...]
    """Delta or last lines, without start-up lines."""
    progress: Progress
    noise_removed: int
    semantic_delta: tuple[str, ...] | None
    pane: PaneText


def capture_pane(
    ctx: Context, ref: SessionRef, text: PaneText, request: CaptureRequest, reader: CaptureReader
) -> PaneCapture:
    """Capture the pane. Raise LisaError for cursor files that cannot be read or written."""
    meta = pane_text.read_meta_or_default(ref)
    signs = agents.layout_of(meta)
    noise_filter = strip_noise(
        text,
        meta,
        noise_off=not request.strip_noise,
        banner=request.strip_banner,
        marks=any(layout.MARK_PREFIX in marker for marker in request.markers),
    )
    echoed = (
        prompt_echo.find_echo_rows(text.lines, collect_prompts(ctx, ref, text, meta), signs)
        if request.markers
        else frozenset()
    )
    rows, progress, pane_cursor = _select_rows(text, request, reader, meta.run_id)
    rows = _mask_rows(rows, text, reader.mask)
    lines = tuple(SearchLine(line, row not in echoed) for row, line in rows if noise_filter.keep[row])
    semantic_delta = (
        _build_semantic_delta(ctx, text, noise_filter, request, reader, rows, signs) if request.semantic else None
    )
    if reader.path:
        ready = msgspec.structs.replace(reader.file, pane=pane_cursor)
        ctx.commit_after_output(cursors.stage(reader.path, ready, "pane", pane_cursor.offset, ctx.clock.now()))
    return PaneCapture(
        lines=lines, progress=progress, noise_removed=noise_filter.removed, semantic_delta=semantic_delta, pane=text
    )


def strip_noise(
    text: PaneText, meta: SessionMeta, *, noise_off: bool = False, banner: bool = False, marks: bool = False
) -> NoiseFilter:
    """Return the rows of start-up lines (none if they are out of sight) and of the supervisor, unless `marks`."""
    found = noise.keep_all(text.lines)
    if text.whole and (banner or not noise_off):
        found = noise.filter_noise(text.lines, agents.drawing(meta), prompt=meta.prompt, startup=not noise_off)
    return found if marks or noise_off else noise.remove_marks(text.lines, found)


def collect_prompts(ctx: Context, ref: SessionRef, text: PaneText, meta: SessionMeta) -> tuple[str, ...]:
    """Return the last input, the first prompt if the agent received it, and their text in the transcript.

    The transcript is read as far as the pane may show it.
    """
    try:
        last = session_records.read_state(ref).last_input_text
    except UnreadableRecord:
        last = ""
    first = "" if meta.custom_command else meta.prompt
    location = conversation.locate(ctx, ref, text.pane)
    excerpt = (
        conversation.read_newest(location, lambda part: len(part.text) >= text.size) if not location.reason else None
    )
    user_prompts = [message.text for message in excerpt.messages if message.role == "user"] if excerpt else []
    return tuple(dict.fromkeys(prompt for prompt in (first, last, *user_prompts) if prompt.strip()))


def _select_rows(
    text: PaneText, request: CaptureRequest, reader: CaptureReader, run_id: str
) -> tuple[Sequence[tuple[int, str]], Progress, PaneCursor]:
    """Return row numbers and text of the lines to give, and the position of the reader afterwards."""
    known, since = reader.file.pane, reader.since
    stored_offset = known.offset if known else reader.file.legacy_offset("pane")
    whole = output_pane_cursor.read_all(text, run_id)
    if not reader.wants_delta or (since is not None and since.time is not None):
        # tmux dates output in whole seconds: the given second may hold unread output
        silent = since is not None and text.pane.activity + 1 <= (since.time or 0)
        end = len(text.lines)
        first = end if silent else max(0, end - request.lines)
        rows = [(row, text.lines[row]) for row in range(first, end)]
        return rows, reader.progress(stored_offset=stored_offset, next_offset=whole.cursor.offset), whole.cursor
    if since is not None:
        delta = output_pane_cursor.since_offset(text, since.offset or 0, run_id)
    elif known is not None:
        delta = output_pane_cursor.since_cursor(text, known, run_id)
    else:
        delta = output_pane_cursor.since_offset(text, stored_offset, run_id)
    rows = [(row, text.lines[row][delta.skip if row == delta.first else 0 :]) for row in range(delta.first, delta.end)]
    fresh = since is None and known is None and not stored_offset
    skipped = max(0, len(rows) - request.lines) if request.limited or fresh else 0
    progress = reader.progress(
        stored_offset=stored_offset, next_offset=delta.cursor.offset, reset=delta.reset, skipped=skipped
    )
    return rows[skipped:], progress, delta.cursor


def _mask_rows(rows: Sequence[tuple[int, str]], text: PaneText, mask: Mask) -> Sequence[tuple[int, str]]:
    """Redact the lines together with the lines before them: a key may have begun there.

    Of a line whose first part was given before, the rest is given as it appears after the redacted part.
    """
    if not mask.is_active or not rows:
        return rows
    first = rows[0][0]
    begin = max(0, first - MARGIN)
    clean = mask.mask_lines(text.lines[begin : rows[-1][0] + 1])
    found = []
    for row, line in rows:
        whole = clean[row - begin]
        known = text.lines[row][: len(text.lines[row]) - len(line)]
        masked_prefix = mask.clone().mask_text(known) if known else ""
        found.append((row, whole[len(masked_prefix) :] if whole.startswith(masked_prefix) else whole))
    return found


def _build_semantic_delta(
    ctx: Context,
    text: PaneText,
    noise_filter: NoiseFilter,
    request: CaptureRequest,
    reader: CaptureReader,
    rows: Sequence[tuple[int, str]],
    signs: Layout,
) -> tuple[str, ...]:
    """Return the meaning of the last and all new lines unknown to the reader; its sidecar file is updated."""
    first = min([max(0, len(text.lines) - request.lines), *(row for row, _ in rows[:1])])
    shown = [text.lines[row] for row in range(max(0, first - MARGIN), len(text.lines))]
    clean = (*text.lines[: len(text.lines) - len(shown)], *reader.mask.clone().mask_lines(shown))
    current = semantic.extract_lines("\n".join(noise_filter.apply(clean, first)), signs)
    path = cursors.semantic_path(reader.path) if reader.path else ""
    known = cursors.read_semantic(path).lines if path else ()
    new = semantic.find_new(current, known)
    if path:
        ctx.commit_after_output(cursors.stage_semantic(path, tuple(current), ctx.clock.now()))
    return tuple(new)
