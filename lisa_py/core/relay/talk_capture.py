"""A capture of the transcript: the conversation's end, or what of it is new to a reader."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lisa_py.core.context import Context
from lisa_py.core.relay import conversation
from lisa_py.core.relay.captured import CaptureRequest, Progress, Reader
from lisa_py.core.relay.conversation import Located, Talk
from lisa_py.core.relay.markers import Line
from lisa_py.core.relay.masking import Mask
from lisa_py.store import cursors
from lisa_py.store.cursors import TranscriptCursor


class TalkCapture(Struct, frozen=True, kw_only=True):
    lines: tuple[Line, ...]
    progress: Progress
    talk: Talk
    truncated: bool


def capture(ctx: Context, found: Located, request: CaptureRequest, reader: Reader) -> TalkCapture:
    """Raises LisaError(cursor_file_write_failed)."""
    stood = reader.file.transcript or TranscriptCursor(offset=reader.file.legacy("transcript"))
    talk = masked(_read(found, request, reader, stood), reader.mask)
    lines = [Line(line, piece.said, piece.at) for piece in talk.pieces for line in piece.text.split("\n")]
    skipped = max(0, len(lines) - request.lines) if request.limited else 0
    if reader.path:
        ready = msgspec.structs.replace(reader.file, transcript=talk.cursor)
        ctx.once_told(cursors.stage(reader.path, ready, "transcript", talk.cursor.offset, ctx.clock.now()))
    return TalkCapture(
        lines=tuple(lines[skipped:]),
        progress=reader.progress(stood=stood.offset, next_offset=talk.cursor.offset, reset=talk.reset, skipped=skipped),
        talk=talk,
        truncated=not talk.complete or skipped > 0,
    )


def masked(talk: Talk, mask: Mask) -> Talk:
    """The conversation as it may be handed on: each part by itself, for none begins in another."""
    if not mask.on:
        return talk
    again = mask.twin()  # the pieces hold the same words once more
    return msgspec.structs.replace(
        talk,
        messages=tuple(again.record(one) for one in talk.messages),
        tools=tuple(again.record(one) for one in talk.tools),
        problems=tuple(again.record(one) for one in talk.problems),
        pieces=tuple(mask.record(one) for one in talk.pieces),
    )


def _read(found: Located, request: CaptureRequest, reader: Reader, stood: TranscriptCursor) -> Talk:
    since = reader.since
    if since is not None and since.time is not None:
        return conversation.later_than(found, since.time)
    if since is not None:
        return conversation.since(found, TranscriptCursor(offset=max(0, since.offset or 0)))
    if reader.path and stood.offset:
        return conversation.since(found, stood)
    return conversation.newest(found, lambda talk: _enough(talk, request))


def _enough(talk: Talk, request: CaptureRequest) -> bool:
    if request.limited:
        return talk.text.count("\n") >= request.lines
    if request.summary:
        return bool(talk.messages) and len(talk.text) > 8 * request.token_budget
    return False
