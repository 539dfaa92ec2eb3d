"""Capture the output of a session: from its transcript if there is one, else from its pane."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from lisa_py import agents
from lisa_py.contract import command_line
from lisa_py.contract.errors import LisaError, TmuxUnavailable, session_not_found
from lisa_py.core.context import Context
from lisa_py.core.output import conversation, markers, pane_capture, pane_offset, pane_text, summary, transcript_capture
from lisa_py.core.output.capture_request import CaptureReader, CaptureRequest, CaptureResult
from lisa_py.core.output.markers import MarkerSearchResult, SearchLine
from lisa_py.core.output.pane_text import PaneText
from lisa_py.core.output.summary import Summary
from lisa_py.core.redact.redactor import MARGIN
from lisa_py.core.status import status_reader
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.pane import Pane
from lisa_py.store import masked_values
from lisa_py.store.paths import SessionRef


def capture_session(ctx: Context, ref: SessionRef, request: CaptureRequest) -> CaptureResult:
    """Capture a session; only requested cursor files are written.

    Works for ended sessions that are still kept. Raise LisaError: session_not_found, tmux_unavailable,
    invalid_cursor_file, invalid_delta_from, invalid_redact_rules, transcript_unavailable, no_answer_yet,
    cursor_file_write_failed, semantic_cursor_read_failed, semantic_cursor_write_failed.
    """
    reader = CaptureReader(ctx, request, masked_values.read(ref))
    taken = _read_session(ctx, ref, request, reader)
    mask = reader.mask
    return msgspec.structs.replace(taken, redact_rules=mask.rules, redacted=mask.counts if mask.applies_rules else None)


def _read_session(ctx: Context, ref: SessionRef, request: CaptureRequest, reader: CaptureReader) -> CaptureResult:
    if request.source == "pane":
        return _from_pane(ctx, ref, request, reader, _read_pane(ctx, ref, request, reader), "")
    pane, trouble = _try_find_pane(ctx, ref)
    found = conversation.locate(ctx, ref, pane)
    reason = found.reason
    if not reason and request.last:
        return _from_answer(ref, reader, found)
    if not reason:
        taken = transcript_capture.capture_transcript(ctx, found, request, reader)
        if taken.excerpt.messages or reader.wants_delta:
            return _from_transcript(ctx, ref, request, reader, taken, found.agent.name)
        reason = "transcript_empty"
    if request.source == "transcript" or request.last:
        raise LisaError(
            "transcript_unavailable",
            f"{ref.session} has no transcript to read ({reason});"
            f" {_describe_archive(ctx, ref) or '--raw reads its pane'}",
        )
    if trouble is not None:
        raise trouble
    return _from_pane(ctx, ref, request, reader, _read_pane(ctx, ref, request, reader, pane), reason)


def _from_answer(ref: SessionRef, reader: CaptureReader, found: conversation.TranscriptLocation) -> CaptureResult:
    answer = transcript_capture.mask_excerpt(conversation.read_answer(found), reader.mask)
    if not answer.messages:
        cause = "; ".join(f"{problem.error}: {problem.text}" for problem in answer.problems)
        raise LisaError(
            "no_answer_yet",
            f"{ref.session} has no answer to its last prompt{f' ({cause})' if cause else ''};"
            f" {command_line.build('session monitor', session=ref.session)} waits for the end of the turn",
            session=ref.session,
        )
    return CaptureResult(source="transcript", text=answer.text, agent=found.agent.name, excerpt=answer, is_answer=True)


def _read_pane(
    ctx: Context,
    ref: SessionRef,
    request: CaptureRequest,
    reader: CaptureReader,
    pane: Pane | UnsetType | None = UNSET,
) -> PaneText:
    if reader.wants_delta or request.markers or request.semantic:
        text = pane_text.read(ctx, ref, pane)
    elif request.needs_offset:
        text = pane_offset.read_end(ctx, ref, request.lines + MARGIN, pane)
    else:
        text = pane_text.read_tail(ctx, ref, request.lines + MARGIN, pane)
    if text is None:
        raise session_not_found(ref.session, ref.project.root, remedy=_describe_archive(ctx, ref))
    return text


def _describe_archive(ctx: Context, ref: SessionRef) -> str:
    """Return how the archive of a killed session is read; empty if it was not killed or has none."""
    archive = ctx.or_archive(ref)
    if not archive.archive:
        return ""
    root = archive.project.root
    return f"it was killed; {command_line.build('session history', session=ref.session, project_root=root)} reads it"


def _try_find_pane(ctx: Context, ref: SessionRef) -> tuple[Pane | None, TmuxUnavailable | None]:
    """Return the pane without its text, or the error, which matters only if there is no transcript."""
    try:
        return ctx.find_pane(ref), None
    except TmuxUnavailable as problem:
        return None, problem


def _from_transcript(
    ctx: Context,
    ref: SessionRef,
    request: CaptureRequest,
    reader: CaptureReader,
    taken: transcript_capture.TranscriptCapture,
    agent: str,
) -> CaptureResult:
    text = _join(taken.lines)
    return CaptureResult(
        source="transcript",
        text=text,
        agent=agent,
        excerpt=taken.excerpt,
        progress=taken.progress,
        cursor_recovered=reader.recovered,
        truncated=taken.truncated,
        is_part=taken.is_part,
        found=_search_markers(ctx, request, taken.lines),
        summary=_summarize(ctx, ref, request, text),
    )


def _from_pane(
    ctx: Context, ref: SessionRef, request: CaptureRequest, reader: CaptureReader, text: PaneText, reason: str
) -> CaptureResult:
    taken = pane_capture.capture_pane(ctx, ref, text, request, reader)
    joined = _join(taken.lines)
    return CaptureResult(
        source="pane",
        text=joined,
        agent=pane_text.read_meta_or_default(ref).agent,
        fallback_reason=reason,
        progress=taken.progress,
        cursor_recovered=reader.recovered,
        noise_removed=taken.noise_removed,
        alternate=text.pane.alternate,
        dead=text.pane.dead,
        truncated=not reader.wants_delta and _has_more(text, request.lines),
        found=_search_markers(ctx, request, taken.lines),
        summary=_summarize(
            ctx, ref, request, joined if taken.semantic_delta is None else "\n".join(taken.semantic_delta)
        ),
        semantic_delta=taken.semantic_delta,
    )


def _has_more(text: PaneText, lines: int) -> bool:
    """Return True if older output exists or existed."""
    return len(text.lines) > lines or not (text.whole or text.pane.alternate)


def _join(lines: tuple[SearchLine, ...]) -> str:
    return "\n".join(line.text for line in lines)


def _search_markers(ctx: Context, request: CaptureRequest, lines: tuple[SearchLine, ...]) -> MarkerSearchResult | None:
    return markers.search(lines, request.markers, format_rfc3339(ctx.clock.now())) if request.markers else None


def _summarize(ctx: Context, ref: SessionRef, request: CaptureRequest, text: str) -> Summary | None:
    if not request.summary:
        return None
    signs = agents.layout_of(pane_text.read_meta_or_default(ref))
    if request.summary != "debug":
        return summary.summarize(text, request.summary, request.token_budget, signs, session=ref.session)
    from lisa_py.core.redact import redact  # noqa: PLC0415 - 20 ms of patterns

    safe = redact.redact_secrets(text)  # debug summaries are pasted into reports: redact secrets
    state = _describe_state(ctx, ref)
    return summary.summarize(safe, "debug", request.token_budget, signs, session=ref.session, state=state)


def _describe_state(ctx: Context, ref: SessionRef) -> str:
    try:
        status = status_reader.read_status(ctx, ref)
    except LisaError:
        return "unavailable"
    return f"{status.session_state}/{status.status} reason={status.classification_reason}"
