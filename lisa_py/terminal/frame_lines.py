"""Lines of a live frame for people: a coloured head with time and kind, the body indented."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from lisa_py.contract.live import (
    AssistantPayload,
    DialogPayload,
    ErrorPayload,
    LiveFrame,
    ResultPayload,
    SessionEndPayload,
    StatusPayload,
    SystemPayload,
    ToolResultPayload,
    ToolUsePayload,
    UsagePayload,
    UserPayload,
)

INPUT_CHARACTERS = 500
RESULT_CHARACTERS = 4000
_GREEN_BOLD, _CYAN_BOLD, _RED_BOLD, _YELLOW_BOLD, _MAGENTA_BOLD = "32;1", "36;1", "31;1", "33;1", "35;1"
_YELLOW, _YELLOW_DIM, _BLUE, _DIM = "33", "33;2", "34", "2"
_NOISY_SUBTYPES = ("turn_duration", "queue_enqueue", "queue_remove", "queue_popAll")


def format_frame(frame: LiveFrame, *, colors: bool, verbose: bool) -> list[str]:
    """Return the lines of a frame; none for frames that only count, time or echo others, unless `verbose`."""
    if not verbose and is_noise(frame):
        return []
    stamp = frame.timestamp if verbose else frame.timestamp.partition("T")[2][:8]
    style, head, body = _parts(frame)
    line = f"[{stamp}] {head}"
    return [f"\x1b[{style}m{line}\x1b[0m" if colors else line, *_indent(body)]


def is_noise(frame: LiveFrame) -> bool:
    """Return True for a frame that only counts, times or echoes others."""
    payload = frame.payload
    match payload:
        case UsagePayload() | StatusPayload():
            return True
        case SystemPayload():
            return payload.subtype in _NOISY_SUBTYPES or not payload.message.strip()
        case ResultPayload():
            return payload.success and not payload.summary
        case AssistantPayload() | UserPayload():
            return not _text_of(payload.content)
    return False


def _parts(frame: LiveFrame) -> tuple[str, str, str]:
    """Return the style and text of the head, and the body."""
    part = _PARTS.get(type(frame.payload))
    return part(frame.payload) if part else (_DIM, f"{frame.type}: {_json(frame.payload)}", "")


def _format_dialog(payload: DialogPayload) -> tuple[str, str, str]:
    choices = "\n".join(f"{choice.number}. {choice.text}" for choice in payload.choices)
    if payload.kind == "permission":
        call = f"{payload.tool_name}: {_json(payload.tool_input)}" if payload.tool_name else payload.message
        return _YELLOW_BOLD, f"approval requested for {call}", choices
    return _MAGENTA_BOLD, f"{payload.kind}: {payload.message}", choices


def _format_result(payload: ResultPayload) -> tuple[str, str, str]:
    return _BLUE, f"result: {payload.summary or payload.subtype}", ""


def _format_end(payload: SessionEndPayload) -> tuple[str, str, str]:
    code = f" (exit_code={payload.exit_code})" if isinstance(payload.exit_code, int) else ""
    return _RED_BOLD, f"session ended: {payload.reason}{code}", ""


_PARTS: dict[type, Callable[[Any], tuple[str, str, str]]] = {
    UserPayload: lambda payload: (_GREEN_BOLD, "user:", payload.content),
    AssistantPayload: lambda payload: (_CYAN_BOLD, "assistant:", _text_of(payload.content)),
    ToolUsePayload: lambda payload: (_YELLOW, f"tool_use {payload.name} ({payload.id}): {_json(payload.input)}", ""),
    ToolResultPayload: lambda payload: (
        _YELLOW_DIM,
        f"tool_result ({payload.tool_use_id}):",
        _cut(payload.content, RESULT_CHARACTERS),
    ),
    SystemPayload: lambda payload: (_DIM, f"system[{payload.subtype}]: {' '.join(payload.message.split())}", ""),
    ResultPayload: _format_result,
    ErrorPayload: lambda payload: (_RED_BOLD, f"error [{payload.code}]: {payload.message}", ""),
    DialogPayload: _format_dialog,
    SessionEndPayload: _format_end,
}


def _text_of(content: str | tuple[dict[str, str], ...]) -> str:
    if isinstance(content, str):
        return content.strip()
    return "\n".join(block["text"] for block in content if block.get("type") == "text").strip()


def _json(value: object) -> str:
    return _cut(" ".join(json.dumps(msgspec.to_builtins(value), ensure_ascii=False).split()), INPUT_CHARACTERS)


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[:size] + "..."


def _indent(body: str) -> list[str]:
    text = body.strip("\n")
    return [f"  {line}" for line in text.split("\n")] if text else []
