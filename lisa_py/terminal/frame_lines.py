"""Lines of a live frame for people: a styled head with time and kind, the body indented.

The text is that of the limacharlie client 5.10.1 for the same frames, without control characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lisa_py.contract.late_pattern import compile_late
from lisa_py.contract.live import LiveFrame
from lisa_py.terminal.layout import ANSI

Message = Mapping[str, Any]
"""A frame as parsed JSON: type, payload, timestamp."""

INPUT_CHARACTERS = 500
RESULT_CHARACTERS = 4000
RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, BOLD, DIM = 31, 32, 33, 34, 35, 36, 1, 2
NOISY_TYPES = frozenset(("session_status", "usage_delta", "sdk_session_id"))
NOISY_SUBTYPES = frozenset(
    (
        "credential_diagnostics",
        "init_received",
        "claude_md_loaded",
        "claude_md_error",
        "user_mcp_servers_loaded",
        "mcp_config_debug",
        "mcp_servers_loaded",
        "mcp_servers_set",
        "oid_added_to_system_prompt",
        "ttl_added_to_system_prompt",
        "unknown_plugin",
        "plugins_resolved",
        "autoinit_loaded",
        "autoinit_error",
        "resuming_sdk_session",
        "model_set",
        "max_turns_set",
        "max_budget_set",
        "task_budget_set",
        "one_shot_mode_set",
        "permission_mode_set",
        "tools_configured",
        "system_prompt_set",
        "sdk_session_id",
        "session_patterns_loaded",
        "hook_started",
        "hook_response",
        "hook_matched",
    )
)
"""Subtypes of system frames about the start of a session."""
_CONTROL = compile_late(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_Head = tuple[tuple[int, ...], str, str]
"""Style and text of the head, and the body."""


def read_message(frame: LiveFrame) -> Message:
    message: dict[str, Any] = msgspec.to_builtins(frame)
    return message


def format_frame(frame: LiveFrame | Message, *, colors: bool, verbose: bool) -> list[str]:
    """Return the lines of a frame; none for frames that only count, time or echo others, unless `verbose`."""
    message = read_message(frame) if isinstance(frame, LiveFrame) else frame
    if not verbose and is_noise(message):
        return []
    style, head, body = _split_message(message)
    prefix = _format_time(str(message.get("timestamp") or ""), verbose)
    return [paint(clean(prefix + head), *style, colors=colors), *(clean(line) for line in indent(body))]


def is_error(frame: LiveFrame | Message) -> bool:
    """Return True for a frame that belongs on the error stream."""
    return (frame.type if isinstance(frame, LiveFrame) else frame.get("type")) == "error"


def is_internal(frame: LiveFrame | Message) -> bool:
    """Return True for a system frame about the start of a session."""
    message = read_message(frame) if isinstance(frame, LiveFrame) else frame
    return message.get("type") == "system" and _read_payload(message).get("subtype", "") in NOISY_SUBTYPES


def is_noise(frame: LiveFrame | Message) -> bool:
    """Return True for a frame that only counts, times or echoes others."""
    message = read_message(frame) if isinstance(frame, LiveFrame) else frame
    kind, payload = message.get("type"), _read_payload(message)
    if kind in NOISY_TYPES:
        return True
    if kind == "system":
        return is_internal(message)
    if kind == "result":
        return not str(_first(payload, "summary", "message")).strip()
    return kind in ("assistant", "user") and not _read_text(kind, payload).strip()


def paint(text: str, *style: int, colors: bool) -> str:
    """Return a text in a style, or as it is without colours."""
    return "".join(f"\x1b[{code}m" for code in style) + text + "\x1b[0m" if colors else text


def clean(text: str) -> str:
    """Return a text without escape sequences and control characters other than tab and newline."""
    return _CONTROL.sub("", ANSI.sub("", text))


def indent(body: str) -> list[str]:
    return [f"  {line}" for line in body.splitlines() or [""]] if body else []


def format_json(value: object) -> str:
    """Return a value as JSON in one line, cut."""
    return _in_one_line(_encode(value))


def _encode(value: object) -> str:
    import json  # noqa: PLC0415 - with the spaces of the client; few callers show values

    return json.dumps(value)


def _split_message(message: Message) -> _Head:
    kind, payload = str(message.get("type")), _read_payload(message)
    part = _PARTS.get(kind)
    return part(payload) if part else ((DIM,), f"{kind}: {format_json(payload)}", "")


def _split_tool_result(payload: Message) -> _Head:
    content = payload.get("content", "")
    text = _encode(content) if isinstance(content, (dict, list)) else str(content or "")
    return (YELLOW, DIM), f"tool_result ({payload.get('tool_use_id', '')}):", cut(text, RESULT_CHARACTERS)


def _split_system(payload: Message) -> _Head:
    subtype = payload.get("subtype", "")
    tag = f"system[{subtype}]" if subtype else "system"
    return (DIM,), f"{tag}: {_in_one_line(str(_first(payload, 'message', 'text')))}", ""


def _split_end(payload: Message) -> _Head:
    code = payload.get("exit_code")
    extra = f" (exit_code={code})" if code is not None else ""
    return (RED, BOLD), f"session ended: {payload.get('reason', '')}{extra}", ""


def _split_question(payload: Message) -> _Head:
    asked = ", ".join(str(question.get("question", "?")) for question in payload.get("questions") or ())
    return (MAGENTA, BOLD), f"question: {asked or '?'}", ""


def _split_dialog(payload: Message) -> _Head:
    """Return the parts of a dialog of the agent program itself, such as trust, with its choices."""
    choices = "\n".join(f"{choice['number']}. {choice['text']}" for choice in payload.get("choices") or ())
    return (MAGENTA, BOLD), f"{payload.get('kind')}: {payload.get('message', '')}", choices


_PARTS: dict[str, Callable[[Message], _Head]] = {
    "assistant": lambda payload: ((CYAN, BOLD), "assistant:", _read_text("assistant", payload)),
    "user": lambda payload: ((GREEN, BOLD), "user:", _read_text("user", payload)),
    "tool_use": lambda payload: (
        (YELLOW,),
        f"tool_use {payload.get('name', '<tool>')} ({payload.get('id', '')}): {format_json(payload.get('input', {}))}",
        "",
    ),
    "tool_result": _split_tool_result,
    "system": _split_system,
    "error": lambda payload: (
        (RED, BOLD),
        f"error [{payload.get('code', '')}]: {payload.get('message', '')}",
        "",
    ),
    "session_end": _split_end,
    "result": lambda payload: ((BLUE,), f"result: {_first(payload, 'summary', 'message')}", ""),
    "tool_approval_request": lambda payload: (
        (YELLOW, BOLD),
        f"approval requested for {payload.get('tool_name', '<tool>')}: {format_json(payload.get('tool_input', {}))}",
        "",
    ),
    "ask_user_question": _split_question,
    "dialog": _split_dialog,
}


def _read_payload(message: Message) -> Message:
    payload = message.get("payload")
    return payload if isinstance(payload, dict) else {}


def _first(payload: Message, *keys: str) -> object:
    """Return the first value that is not empty."""
    return next((payload[key] for key in keys if payload.get(key)), "")


def _read_text(kind: str, payload: Message) -> str:
    """Return the text of an assistant or user frame: of a list of blocks, the texts in it."""
    if kind == "user" and "text" in payload and "content" not in payload:
        return str(payload.get("text") or "")
    content = payload.get("content")
    if not isinstance(content, list | tuple):
        return str(content or "").strip()
    texts = [_read_block(block) for block in content if isinstance(block, dict)]
    return "\n".join(text for text in texts if text.strip()).strip()


def _read_block(block: Message) -> str:
    return "" if block.get("type") in ("tool_use", "tool_result") else str(block.get("text", ""))


def _format_time(stamp: str, verbose: bool) -> str:
    if not stamp:
        return ""
    _, found, time = stamp.partition("T")
    return f"[{stamp}] " if verbose or not found else f"[{time[:8]}] "


def _in_one_line(text: str) -> str:
    return cut(" ".join(text.split()), INPUT_CHARACTERS)


def cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[:size] + "..."
