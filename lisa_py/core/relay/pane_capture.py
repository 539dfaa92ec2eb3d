"""A capture of the pane: its last lines, or those new to a reader, chatter taken out, prompts told from output."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.relay import conversation, cursor, noise, pane_text, prompt_echo, semantic
from lisa_py.core.relay.captured import CaptureRequest, Meaning, Progress, Reader
from lisa_py.core.relay.markers import Line
from lisa_py.core.relay.masking import MARGIN, Mask
from lisa_py.core.relay.noise import Sifted
from lisa_py.core.relay.pane_text import PaneText
from lisa_py.store import cursors, session
from lisa_py.store.cursors import PaneCursor
from lisa_py.store.places import Place
from lisa_py.store.records import Unreadable


class PaneCapture(Struct, frozen=True, kw_only=True):
    lines: tuple[Line, ...]
    """Delta or window, chatter taken out."""
    progress: Progress
    noise_removed: int
    meaning: Meaning | None
    pane: PaneText


def capture(ctx: Context, place: Place, text: PaneText, request: CaptureRequest, reader: Reader) -> PaneCapture:
    """Raises LisaError of cursor files that cannot be read or written."""
    meta = pane_text.meta_of(place)
    sifted = sift(text, meta, noise_off=not request.strip_noise, banner=request.strip_banner)
    echoed = prompt_echo.rows(text.lines, prompts(ctx, place, text, meta)) if request.markers else frozenset()
    rows, progress, stand = _rows(text, request, reader, meta.run_id)
    rows = _masked(rows, text, reader.mask)
    lines = tuple(Line(words, row not in echoed) for row, words in rows if sifted.keep[row])
    meaning = _meaning(ctx, text, sifted, request, reader, rows) if request.semantic else None
    if reader.path:
        ready = msgspec.structs.replace(reader.file, pane=stand)
        ctx.once_told(cursors.stage(reader.path, ready, "pane", stand.offset, ctx.clock.now()))
    return PaneCapture(lines=lines, progress=progress, noise_removed=sifted.removed, meaning=meaning, pane=text)


def sift(text: PaneText, meta: SessionMeta, *, noise_off: bool = False, banner: bool = False) -> Sifted:
    """Which lines are chatter; none when the session's first lines are out of sight."""
    if not text.whole or (noise_off and not banner):
        return noise.everything(text.lines)
    try:
        is_noise = agents.get(meta.agent).is_noise
    except LisaError:
        is_noise = Agent().is_noise
    return noise.sift(text.lines, prompt=meta.prompt, is_noise=is_noise, chatter=not noise_off)


def prompts(ctx: Context, place: Place, text: PaneText, meta: SessionMeta) -> tuple[str, ...]:
    """What was typed last, the first prompt where the agent was really given it, and what the transcript has of them.

    So much of a transcript as the pane may show.
    """
    try:
        last = session.read_state(place).last_input_text
    except Unreadable:
        last = ""
    first = "" if meta.custom_command else meta.prompt
    talked = conversation.locate(ctx, place, text.pane)
    shown = conversation.newest(talked, lambda talk: len(talk.text) >= text.size) if not talked.reason else None
    asked = [message.text for message in shown.messages if message.role == "user"] if shown else []
    return tuple(dict.fromkeys(prompt for prompt in (first, last, *asked) if prompt.strip()))


def _rows(
    text: PaneText, request: CaptureRequest, reader: Reader, run_id: str
) -> tuple[Sequence[tuple[int, str]], Progress, PaneCursor]:
    """Row numbers and words of the lines to give, and where the reader stands afterwards."""
    known, since = reader.file.pane, reader.since
    stood = known.offset if known else reader.file.legacy("pane")
    whole = cursor.everything(text, run_id)
    if not reader.wants_delta or (since is not None and since.time is not None):
        # tmux dates output in whole seconds: the second the reader names may hold some that it has not seen
        silent = since is not None and text.pane.activity + 1 <= (since.time or 0)
        end = len(text.lines)
        first = end if silent else max(0, end - request.lines)
        rows = [(row, text.lines[row]) for row in range(first, end)]
        return rows, reader.progress(stood=stood, next_offset=whole.cursor.offset), whole.cursor
    if since is not None:
        delta = cursor.since_offset(text, since.offset or 0, run_id)
    elif known is not None:
        delta = cursor.since_cursor(text, known, run_id)
    else:
        delta = cursor.since_offset(text, stood, run_id)
    rows = [(row, text.lines[row][delta.skip if row == delta.first else 0 :]) for row in range(delta.first, delta.end)]
    fresh = since is None and known is None and not stood
    skipped = max(0, len(rows) - request.lines) if request.limited or fresh else 0
    progress = reader.progress(stood=stood, next_offset=delta.cursor.offset, reset=delta.reset, skipped=skipped)
    return rows[skipped:], progress, delta.cursor


def _masked(rows: Sequence[tuple[int, str]], text: PaneText, mask: Mask) -> Sequence[tuple[int, str]]:
    """What is wanted, seen together with the lines before it: a key may have begun there.

    Of a line whose first part was given before, the rest is given as it looks behind that part masked.
    """
    if not mask.on or not rows:
        return rows
    first = rows[0][0]
    begin = max(0, first - MARGIN)
    clean = mask.lines(text.lines[begin : rows[-1][0] + 1])
    found = []
    for row, words in rows:
        whole = clean[row - begin]
        known = text.lines[row][: len(text.lines[row]) - len(words)]
        given = mask.twin().text(known) if known else ""
        found.append((row, whole[len(given) :] if whole.startswith(given) else whole))
    return found


def _meaning(
    ctx: Context,
    text: PaneText,
    sifted: Sifted,
    request: CaptureRequest,
    reader: Reader,
    rows: Sequence[tuple[int, str]],
) -> Meaning:
    """What the last and all new lines mean that the reader does not know yet; its sidecar then knows them."""
    first = min([max(0, len(text.lines) - request.lines), *(row for row, _ in rows[:1])])
    shown = [text.lines[row] for row in range(max(0, first - MARGIN), len(text.lines))]
    clean = (*text.lines[: len(text.lines) - len(shown)], *reader.mask.twin().lines(shown))
    current = semantic.lines_of("\n".join(sifted.of(clean, first)))
    path = cursors.semantic_path(reader.path) if reader.path else ""
    known = cursors.read_semantic(path).lines if path else ()
    new = semantic.new(current, known)
    if path:
        ctx.once_told(cursors.stage_semantic(path, tuple(current), ctx.clock.now()))
    return Meaning(tuple(new), tuple(current))
