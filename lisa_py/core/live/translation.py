"""Translate frames of a transcript, statuses and dialogs to live frames."""

from __future__ import annotations

from msgspec import UNSET

from lisa_py.contract.frames import Frame
from lisa_py.contract.live import (
    FRAME_TYPES,
    AssistantPayload,
    ErrorPayload,
    LiveFrame,
    Payload,
    ResultPayload,
    SessionEndPayload,
    StatusPayload,
    SystemPayload,
    ToolResultPayload,
    ToolUsePayload,
    UsagePayload,
    UserPayload,
)
from lisa_py.contract.status import TERMINAL_STATES, Status
from lisa_py.core.live.ending import SessionEnd
from lisa_py.host.clock import format_rfc3339
from lisa_py.terminal.frame_lines import clean


def build_frame(payload: Payload, at: float, session: str, cursor: str) -> LiveFrame:
    return LiveFrame(
        type=FRAME_TYPES[type(payload)],
        payload=payload,
        timestamp=format_rfc3339(at, fraction=True),
        session_id=session,
        cursor=cursor,
    )


def translate_frame(frame: Frame) -> Payload | None:
    """Return the payload of a transcript frame; None for frames that only structure the transcript."""
    text = clean(frame.text)
    match frame.kind:
        case "user":
            return UserPayload(content=text, queued=frame.queued or UNSET)
        case "assistant":
            return AssistantPayload(content=text, model=frame.model or UNSET, message_id=frame.message_id or UNSET)
        case "thinking":
            return AssistantPayload(content=({"type": "thinking", "thinking": text},))
        case "tool_use":
            return ToolUsePayload(id=frame.tool_id, name=frame.tool, input=_input_of(frame))
        case "tool_result":
            return ToolResultPayload(tool_use_id=frame.tool_id, content=text, is_error=frame.failed or UNSET)
        case "system":
            return _translate_system(frame, text)
        case "error":
            return ErrorPayload(code=f"agent_{frame.error or 'unknown'}", message=text)
        case "usage" if frame.usage is not None:
            return UsagePayload(
                input_tokens=frame.usage.input_tokens,
                output_tokens=frame.usage.output_tokens,
                cached_tokens=frame.usage.cached_tokens,
                model=frame.usage.model or UNSET,
            )
        case "turn_end":
            return ResultPayload(
                success=frame.reason == "completed",
                subtype=frame.reason or "completed",
                summary=frame.reason if frame.reason not in ("", "completed") else UNSET,
                duration_ms=round(frame.duration * 1000) or UNSET,
            )
        case "result":
            return ResultPayload(success=not frame.failed, subtype="completed", summary=text)
    return None


def is_message(frame: Frame) -> bool:
    """Return True for a transcript frame that the history of the sessions API has."""
    if frame.kind == "system":
        return not frame.duration and not frame.queued and bool(clean(frame.text).strip())
    return frame.kind in _MESSAGE_KINDS


_MESSAGE_KINDS = {"user", "assistant", "thinking", "tool_use", "tool_result", "error", "turn_end", "result"}


def _translate_system(frame: Frame, text: str) -> Payload | None:
    if frame.duration:  # a record behind the end of the turn (claude 2.1.332): no second result
        return UsagePayload(input_tokens=0, output_tokens=0, cached_tokens=0, duration_ms=round(frame.duration * 1000))
    if frame.queued or not text.strip():
        return None  # a queued prompt becomes a user frame
    return SystemPayload(subtype=frame.subtype or "message", message=text)


def _input_of(frame: Frame) -> object:
    return frame.text if frame.input is None else frame.input


def build_status(status: Status) -> StatusPayload:
    return StatusPayload(
        status=status.session_state,
        agent_state=status.agent_state,
        waiting_for=status.waiting_for or UNSET,
        detail=clean(status.state_detail) or UNSET,
    )


def build_end(end: SessionEnd) -> SessionEndPayload:
    return SessionEndPayload(reason=end.reason, exit_code=UNSET if end.exit_code is None else end.exit_code)


def has_ended(status: Status) -> bool:
    """Return True if no further frame can come; a stuck session may continue."""
    return status.session_state in TERMINAL_STATES and status.session_state != "stuck"
