"""Messages of the clients of a WebSocket: parse, check."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.server import bodies


class Prompt(Struct, frozen=True, kw_only=True):
    """A prompt for the agent."""

    text: str
    prompt_id: str = ""
    """Returned with the user frame of the prompt; one that was sent before is not sent again."""


class Interrupt(Struct, frozen=True, kw_only=True):
    """End the turn of the agent."""


class Heartbeat(Struct, frozen=True, kw_only=True):
    """A sign of life; it has no reply."""


class ApprovalResponse(Struct, frozen=True, kw_only=True):
    """The decision about a tool call."""

    tool_use_id: str
    approved: bool
    approval_scope: Literal["once", "session"] = "once"
    approval_pattern: str = ""
    updated_input: dict[str, Any] | None = None
    message: str = ""


class QuestionResponse(Struct, frozen=True, kw_only=True):
    """The answers to the questions of an agent, by header or text of the question."""

    question_id: str
    answers: dict[str, str | list[str]]


class UploadMessage(Struct, frozen=True, kw_only=True):
    """Ask for the address of an upload."""

    request_id: str
    filename: str
    size: int
    content_type: str = ""


class UploadEnd(Struct, frozen=True, kw_only=True):
    """The file of an upload was sent."""

    request_id: str
    path: str = ""
    upload_id: str = ""
    filename: str = ""


class DownloadMessage(Struct, frozen=True, kw_only=True):
    """Ask for the address of a download."""

    request_id: str
    path: str


FileMessage = UploadMessage | UploadEnd | DownloadMessage
MESSAGES: dict[str, type[Struct]] = {
    "prompt": Prompt,
    "interrupt": Interrupt,
    "heartbeat": Heartbeat,
    "tool_approval_response": ApprovalResponse,
    "ask_user_question_response": QuestionResponse,
    "upload_request": UploadMessage,
    "upload_complete": UploadEnd,
    "download_request": DownloadMessage,
}


def parse_message(raw: bytes | str) -> Any:
    """Return the message. Raise LisaError(invalid_message)."""
    try:
        found = bodies.parse_object(raw.encode() if isinstance(raw, str) else raw, "message")
    except LisaError as problem:
        raise LisaError("invalid_message", problem.message) from None
    kind = MESSAGES.get(found["type"]) if isinstance(found.get("type"), str) else None
    if kind is None:
        known = ", ".join(MESSAGES)
        raise LisaError("invalid_message", f"unknown type of message: {str(found.get('type'))[:50]} (expected {known})")
    payload = found.get("payload")
    if not isinstance(payload, dict | None):
        raise LisaError("invalid_message", f"the payload of {found['type']} is not an object")
    given = {key: value for key, value in (payload or {}).items() if value is not None}
    try:
        return msgspec.convert(given, kind, strict=True)
    except msgspec.ValidationError as problem:
        raise LisaError("invalid_message", f"invalid {found['type']}: {problem}") from None
