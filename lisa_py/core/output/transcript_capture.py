"""Capture the transcript: the end of the conversation, or its new part."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lisa_py.core.context import Context
from lisa_py.core.output import conversation
from lisa_py.core.output.capture_request import CaptureReader, CaptureRequest, Progress
from lisa_py.core.output.conversation import TranscriptExcerpt, TranscriptLocation
from lisa_py.core.output.markers import SearchLine
from lisa_py.core.redact.redactor import Mask
from lisa_py.store import cursors
from lisa_py.store.cursors import TranscriptCursor

NEWEST_BYTES = 4 << 20
"""Size of the newest part of a transcript that a capture without a limit reads."""


class TranscriptCapture(Struct, frozen=True, kw_only=True):
    lines: tuple[SearchLine, ...]
    progress: Progress
    excerpt: TranscriptExcerpt
    truncated: bool
    is_part: bool
    """True if the conversation was too long to be read, although it was requested."""


def capture_transcript(
    ctx: Context, location: TranscriptLocation, request: CaptureRequest, reader: CaptureReader
) -> TranscriptCapture:
    """Capture the transcript. Raise LisaError(cursor_file_write_failed)."""
    stored_cursor = reader.file.transcript or TranscriptCursor(offset=reader.file.legacy_offset("transcript"))
    excerpt = mask_excerpt(_read(location, request, reader, stored_cursor), reader.mask)
    lines = [SearchLine(line, piece.is_reply, piece.at) for piece in excerpt.pieces for line in piece.text.split("\n")]
    skipped = max(0, len(lines) - request.lines) if request.limited else 0
    if reader.path:
        ready = msgspec.structs.replace(reader.file, transcript=excerpt.cursor)
        ctx.commit_after_output(cursors.stage(reader.path, ready, "transcript", excerpt.cursor.offset, ctx.clock.now()))
    return TranscriptCapture(
        lines=tuple(lines[skipped:]),
        progress=reader.progress(
            stored_offset=stored_cursor.offset, next_offset=excerpt.cursor.offset, reset=excerpt.reset, skipped=skipped
        ),
        excerpt=excerpt,
        truncated=not excerpt.complete or skipped > 0,
        is_part=not excerpt.complete and _reads_recent(request),
    )


def mask_excerpt(excerpt: TranscriptExcerpt, mask: Mask) -> TranscriptExcerpt:
    """Redact the conversation part by part, because no secret spans two parts."""
    if not mask.is_active:
        return excerpt
    clone = mask.clone()  # the pieces repeat the same text
    return msgspec.structs.replace(
        excerpt,
        messages=tuple(clone.mask_record(one) for one in excerpt.messages),
        tools=tuple(clone.mask_record(one) for one in excerpt.tools),
        problems=tuple(clone.mask_record(one) for one in excerpt.problems),
        pieces=tuple(mask.mask_record(one) for one in excerpt.pieces),
    )


def _read(
    location: TranscriptLocation, request: CaptureRequest, reader: CaptureReader, stored_cursor: TranscriptCursor
) -> TranscriptExcerpt:
    since = reader.since
    if since is not None and since.time is not None:
        return conversation.read_after(location, since.time)
    if since is not None:
        return conversation.read_since(location, TranscriptCursor(offset=max(0, since.offset or 0)))
    if reader.path and stored_cursor.offset:
        return conversation.read_since(location, stored_cursor)
    if _reads_recent(request):
        return conversation.read_recent(location, NEWEST_BYTES)
    return conversation.read_newest(location, lambda excerpt: _is_enough(excerpt, request))


def _reads_recent(request: CaptureRequest) -> bool:
    """Return True if nothing says how much of the conversation is needed; markers are searched in all of it."""
    return not (request.limited or request.summary or request.markers)


def _is_enough(excerpt: TranscriptExcerpt, request: CaptureRequest) -> bool:
    if request.limited:
        return excerpt.text.count("\n") >= request.lines
    if request.summary:
        return bool(excerpt.messages) and len(excerpt.text) > 8 * request.token_budget
    return False
