"""Parse codex's rollout: one line becomes frames."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from lisa_py.agents._codex.errors import classify_error
from lisa_py.contract.frames import Frame, Todo, Usage
from lisa_py.host.clock import parse_time


class _Line(Struct):
    type: str = ""
    timestamp: str = ""
    payload: Raw = Raw(b"{}")


class _Payload(Struct):
    """The relevant fields of all record types; other shapes count as broken."""

    type: str = ""
    id: str | None = None
    turn_id: str | None = None
    reason: str | None = None
    error: Any = None
    message: Any = None
    codex_error_info: Any = None
    text: str | None = None
    item: Any = None
    role: str | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: Any = None
    input: Any = None
    output: Any = None
    action: Any = None
    usage: Any = None
    response_id: str | None = None
    duration_ms: Any = None
    model: str | None = None


class _Step(Struct):
    step: str = ""
    status: str = "pending"


class _PlanArguments(Struct):
    plan: list[_Step] = []


_line_decoder = msgspec.json.Decoder(_Line)
_payload_decoder = msgspec.json.Decoder(_Payload)
_plan_decoder = msgspec.json.Decoder(_PlanArguments)
_json_decoder = msgspec.json.Decoder()


def parse_frames(line: bytes, offset: int) -> list[Frame]:
    """Return the frames of one line; none for unknown and broken lines."""
    if not line.strip():
        return []
    try:
        record = _line_decoder.decode(line)
        if record.type not in ("event_msg", "response_item", "token_usage_record", "compacted"):
            return []
        payload = _payload_decoder.decode(record.payload)
    except (ValueError, RecursionError):
        return []
    at = parse_time(record.timestamp) or 0.0
    if record.type == "event_msg":
        return _event_frames(payload, at, offset)
    if record.type == "response_item":
        return _response_item_frames(payload, at, offset)
    if record.type == "compacted":
        return [Frame(kind="system", at=at, text="the context was compacted", offset=offset)]
    return _usage_frames(payload, at, offset)


def _event_frames(payload: _Payload, at: float, offset: int) -> list[Frame]:
    turn = payload.turn_id or ""
    match payload.type:
        case "task_started" | "turn_started":
            return [Frame(kind="turn_start", at=at, turn=turn, id=turn, offset=offset)]
        case "task_complete" | "turn_complete":
            return _turn_end_frames(payload, at, offset)
        case "turn_aborted":
            return [Frame(kind="turn_end", at=at, turn=turn, id=turn, reason="interrupted", offset=offset)]
        case "item_completed":
            return _thread_item_frames(payload, at, offset)
        case "error":
            kind = classify_error(payload.codex_error_info, _text(payload.message))
            return [Frame(kind="error", at=at, turn=turn, text=_text(payload.message), error=kind, offset=offset)]
        case "user_message":
            return [Frame(kind="user", at=at, turn=turn, text=_text(payload.message), offset=offset)]
        case "agent_message":
            return [Frame(kind="assistant", at=at, turn=turn, text=_text(payload.message), offset=offset)]
        case "agent_reasoning":
            return [Frame(kind="thinking", at=at, turn=turn, text=payload.text or "", offset=offset)]
    return []


def _turn_end_frames(payload: _Payload, at: float, offset: int) -> list[Frame]:
    turn = payload.turn_id or ""
    if not payload.error:
        seconds = payload.duration_ms / 1000 if isinstance(payload.duration_ms, int) else 0.0
        return [Frame(kind="turn_end", at=at, turn=turn, id=turn, reason="completed", duration=seconds, offset=offset)]
    error = payload.error if isinstance(payload.error, dict) else {"message": str(payload.error)}
    message = _text(error.get("message"))
    kind = classify_error(error.get("codex_error_info"), message)
    return [
        Frame(kind="error", at=at, turn=turn, text=message, error=kind, offset=offset),
        Frame(kind="turn_end", at=at, turn=turn, id=turn, reason="failed", error=kind, text=message, offset=offset),
    ]


def _thread_item_frames(payload: _Payload, at: float, offset: int) -> list[Frame]:
    item = payload.item if isinstance(payload.item, dict) else {}
    turn, name = payload.turn_id or "", str(item.get("id") or "")
    match item.get("type"):
        case "UserMessage":
            return [Frame(kind="user", at=at, turn=turn, id=name, text=_text(item.get("content")), offset=offset)]
        case "AgentMessage":
            return [Frame(kind="assistant", at=at, turn=turn, id=name, text=_text(item.get("content")), offset=offset)]
        case "Reasoning":
            text = _text(item.get("summary_text") or item.get("raw_content"))
            return [Frame(kind="thinking", at=at, turn=turn, id=name, text=text, offset=offset)]
        case "CommandExecution" if item.get("source") == "user_shell":
            return _user_shell_frames(item, turn, at, offset)
    return []


def _user_shell_frames(item: dict[str, Any], turn: str, at: float, offset: int) -> list[Frame]:
    """Return a user command with a leading `!`; only its end is recorded. (Agent commands are response items.)"""
    name = str(item.get("id") or "")
    words = item.get("command")
    line = str(words[-1]) if isinstance(words, list) and words else ""
    output = _text(item.get("aggregated_output"))
    failed = item.get("exit_code") not in (0, None)
    return [
        Frame(kind="user", at=at, turn=turn, id=name, text="!" + line, offset=offset),
        Frame(kind="tool_use", at=at, turn=turn, id=name, tool="shell", tool_id=name, text=line, offset=offset),
        Frame(kind="tool_result", at=at, turn=turn, id=name, tool_id=name, text=output, failed=failed, offset=offset),
    ]


def _response_item_frames(payload: _Payload, at: float, offset: int) -> list[Frame]:
    call = payload.call_id or payload.id or ""
    match payload.type:
        case "function_call" | "custom_tool_call" | "local_shell_call":
            given = payload.arguments if payload.arguments is not None else payload.input
            tool = payload.name or "shell"
            return [
                Frame(
                    kind="tool_use",
                    at=at,
                    id=payload.id or "",
                    tool=tool,
                    tool_id=call,
                    text=_summarize_input(given if given is not None else payload.action),
                    input=_parse_input(given if given is not None else payload.action),
                    todos=_parse_todos(given) if tool == "update_plan" else (),
                    offset=offset,
                )
            ]
        case "function_call_output" | "custom_tool_call_output":
            text, failed = _parse_output(payload.output)
            return [
                Frame(
                    kind="tool_result",
                    at=at,
                    id=payload.id or "",
                    tool_id=call,
                    text=text,
                    failed=failed,
                    offset=offset,
                )
            ]
    return []


_MAIN_ARGUMENTS = ("cmd", "command", "questions", "plan", "path", "query", "chars")
"""The argument that describes a call, by tool name."""


def _parse_input(given: Any) -> Any:
    """Return the input of a tool; codex records JSON as text, and the input of some tools is no JSON."""
    if isinstance(given, str):
        try:
            return _json_decoder.decode(given.encode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            return given
    return given


def _summarize_input(given: Any) -> str:
    """Return the input of a tool in one line: the command itself if there is one."""
    value = _parse_input(given)
    if isinstance(value, dict):
        value = next((value[key] for key in _MAIN_ARGUMENTS if key in value), value)
    if isinstance(value, list):
        words = [part for part in value if isinstance(part, str)]
        texts = [str(part.get("question") or part.get("step") or "") for part in value if isinstance(part, dict)]
        value = " ".join(words) if words else "; ".join(filter(None, texts)) or value
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode("utf-8", "replace")
    return " ".join(text.split())


def _parse_todos(given: Any) -> tuple[Todo, ...]:
    try:
        steps = _plan_decoder.decode(given) if isinstance(given, str) else msgspec.convert(given, _PlanArguments)
    except (ValueError, RecursionError):
        return ()
    return tuple(Todo(step.step, _todo_status(step.status)) for step in steps.plan)


def _todo_status(word: str) -> Any:
    return word if word in ("in_progress", "completed") else "pending"


def _parse_output(output: Any) -> tuple[str, bool]:
    """Return the output of the tool, without codex's header; and True if it failed."""
    text = _text(output)
    head, mark, body = text.partition("\nOutput:\n")
    if not mark:
        aborted = text.endswith("aborted by user")
        return "aborted by user" if aborted else text, aborted
    code = head.partition("Process exited with code ")[2].partition("\n")[0].strip()
    return body, code not in ("", "0")


def _text(value: Any) -> str:
    """Return the text of a message content in any form."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _text(value.get("text") or value.get("content") or "")
    if isinstance(value, list):
        return "\n".join(part for part in map(_text, value) if part)
    return ""


def _usage_frames(payload: _Payload, at: float, offset: int) -> list[Frame]:
    found = payload.usage if isinstance(payload.usage, dict) else {}
    numbers = {key: value for key, value in found.items() if isinstance(value, int)}
    read, written = numbers.get("cached_input_tokens", 0), numbers.get("cache_write_input_tokens", 0)
    usage = Usage(
        input_tokens=numbers.get("input_tokens", 0),
        output_tokens=numbers.get("output_tokens", 0),
        cached_tokens=read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        total_tokens=numbers.get("total_tokens", 0),
        model=payload.model or "",
    )
    turn, call = payload.turn_id or "", payload.response_id or ""
    return [Frame(kind="usage", at=at, turn=turn, id=call, usage=usage, offset=offset)]
