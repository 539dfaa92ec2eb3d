"""Reads what a session said: from the agent's transcript where there is one, else from its pane."""

from __future__ import annotations

import msgspec

from lisa_py.contract.errors import LisaError, TmuxUnavailable, session_not_found
from lisa_py.core.context import Context
from lisa_py.core.relay import conversation, markers, pane_capture, pane_text, summary, talk_capture
from lisa_py.core.relay.captured import Captured, CaptureRequest, Reader
from lisa_py.core.relay.markers import Found, Line
from lisa_py.core.relay.pane_text import PaneText
from lisa_py.core.relay.summary import Summary
from lisa_py.core.watch import look
from lisa_py.host.clock import rfc3339
from lisa_py.store.places import Place


def capture(ctx: Context, place: Place, request: CaptureRequest) -> Captured:
    """Read a session; nothing is written but the cursor files that were asked for.

    Works for ended sessions that are still kept. Raises LisaError: session_not_found, tmux_unavailable,
    invalid_cursor_file, invalid_delta_from, invalid_redact_rules, transcript_unavailable, cursor_file_write_failed,
    semantic_cursor_read_failed, semantic_cursor_write_failed.
    """
    reader = Reader(ctx, request)
    taken = _taken(ctx, place, request, reader)
    mask = reader.mask
    return msgspec.structs.replace(taken, redact_rules=mask.rules, redacted=mask.counts if mask.on else None)


def _taken(ctx: Context, place: Place, request: CaptureRequest, reader: Reader) -> Captured:
    if request.source == "pane":
        return _from_pane(ctx, place, request, reader, _pane(ctx, place), "")
    text, trouble = _pane_if_possible(ctx, place)
    found = conversation.locate(ctx, place, text.pane if text else None)
    reason = found.reason
    if not reason:
        taken = talk_capture.capture(ctx, found, request, reader)
        if taken.talk.messages or reader.wants_delta:
            return _from_talk(ctx, place, request, reader, taken, found.agent.name)
        reason = "transcript_empty"
    if request.source == "transcript":
        raise LisaError(
            "transcript_unavailable",
            f"{place.session} has no transcript to read ({reason}); --raw reads its pane",
        )
    if text is None:
        raise trouble or session_not_found(place.session, place.project.root)
    return _from_pane(ctx, place, request, reader, text, reason)


def _pane(ctx: Context, place: Place) -> PaneText:
    text = pane_text.read(ctx, place)
    if text is None:
        raise session_not_found(place.session, place.project.root)
    return text


def _pane_if_possible(ctx: Context, place: Place) -> tuple[PaneText | None, TmuxUnavailable | None]:
    """A transcript can be read without tmux; why there is no pane matters only when there is none."""
    try:
        return pane_text.read(ctx, place), None
    except TmuxUnavailable as problem:
        return None, problem


def _from_talk(
    ctx: Context, place: Place, request: CaptureRequest, reader: Reader, taken: talk_capture.TalkCapture, agent: str
) -> Captured:
    text = _joined(taken.lines)
    return Captured(
        source="transcript",
        text=text,
        agent=agent,
        talk=taken.talk,
        progress=taken.progress,
        cursor_recovered=reader.recovered,
        truncated=taken.truncated,
        found=_found(ctx, request, taken.lines),
        summary=_summary(ctx, place, request, text),
    )


def _from_pane(
    ctx: Context, place: Place, request: CaptureRequest, reader: Reader, text: PaneText, reason: str
) -> Captured:
    taken = pane_capture.capture(ctx, place, text, request, reader)
    words = _joined(taken.lines)
    return Captured(
        source="pane",
        text=words,
        agent=pane_text.meta_of(place).agent,
        fallback_reason=reason,
        progress=taken.progress,
        cursor_recovered=reader.recovered,
        noise_removed=taken.noise_removed,
        alternate=text.pane.alternate,
        dead=text.pane.dead,
        truncated=not reader.wants_delta and _has_more(text, request.lines),
        found=_found(ctx, request, taken.lines),
        summary=_summary(ctx, place, request, "\n".join(taken.meaning.new) if taken.meaning else words),
        meaning=taken.meaning,
    )


def _has_more(text: PaneText, lines: int) -> bool:
    """Whether there is older output, still in the pane or no longer."""
    return len(text.lines) > lines or not (text.whole or text.pane.alternate)


def _joined(lines: tuple[Line, ...]) -> str:
    return "\n".join(line.text for line in lines)


def _found(ctx: Context, request: CaptureRequest, lines: tuple[Line, ...]) -> Found | None:
    return markers.search(lines, request.markers, rfc3339(ctx.clock.now())) if request.markers else None


def _summary(ctx: Context, place: Place, request: CaptureRequest, text: str) -> Summary | None:
    if not request.summary:
        return None
    if request.summary != "debug":
        return summary.make(text, request.summary, request.token_budget, session=place.session)
    from lisa_py.core.relay import redact  # noqa: PLC0415 - 20 ms of patterns

    safe = redact.secrets(text)  # debug summaries end up in reports: no secret goes along
    return summary.make(safe, "debug", request.token_budget, session=place.session, state=_state(ctx, place))


def _state(ctx: Context, place: Place) -> str:
    try:
        status = look.status(ctx, place)
    except LisaError:
        return "unavailable"
    return f"{status.session_state}/{status.status} reason={status.classification_reason}"
