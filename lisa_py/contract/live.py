"""Frames of a live session: the messages of the sessions API, each with a cursor."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.dialogs import DialogQuestion
from lisa_py.contract.status import DialogChoice


class UserPayload(Struct, frozen=True, kw_only=True):
    """A prompt."""

    content: str
    queued: bool | UnsetType = UNSET
    """True if it was submitted while the agent was busy."""
    prompt_id: str | UnsetType = UNSET
    """Id that a client of the API gave the prompt."""


class AssistantPayload(Struct, frozen=True, kw_only=True):
    """Text of the model."""

    content: str | tuple[dict[str, str], ...]
    """The text, or one block of kind thinking."""
    model: str | UnsetType = UNSET
    message_id: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    """`pane` if the session has no transcript: a line of its terminal."""


class ToolUsePayload(Struct, frozen=True, kw_only=True):
    """A tool call."""

    id: str
    name: str
    input: Any
    """The whole input of the tool, as the agent recorded it."""


class ToolResultPayload(Struct, frozen=True, kw_only=True):
    """The result of a tool call."""

    tool_use_id: str
    content: str
    is_error: bool | UnsetType = UNSET


class SystemPayload(Struct, frozen=True, kw_only=True):
    """A message of the agent program, or of lisa, about the session."""

    subtype: str
    message: str
    tool_use_id: str | UnsetType = UNSET
    """For approval_decided: id of the dialog."""
    decided_by: str | UnsetType = UNSET
    """For approval_decided: cli, send, attach, chat, api, interrupt, or pane for a key of a person."""
    decision: str | UnsetType = UNSET
    """For approval_decided: approve, deny or answer; omitted if it was made in the pane."""


class ResultPayload(Struct, frozen=True, kw_only=True):
    """The end of a turn."""

    success: bool
    subtype: str
    """completed, failed or interrupted."""
    summary: str | UnsetType = UNSET
    """The final answer of an exec run; of a turn that failed or was interrupted, that word."""
    duration_ms: int | UnsetType = UNSET


class ErrorPayload(Struct, frozen=True, kw_only=True):
    """An error of the agent; the session continues."""

    code: str
    """`agent_` and the kind of error, as in `errorKind` of a status."""
    message: str


class StatusPayload(Struct, frozen=True, kw_only=True):
    """A change of the session's status."""

    status: str
    """sessionState of the status."""
    agent_state: str
    waiting_for: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET


class UsagePayload(Struct, frozen=True, kw_only=True):
    """Tokens of one model call; without any: the duration of the turn that has just ended."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    model: str | UnsetType = UNSET
    duration_ms: int | UnsetType = UNSET


class ApprovalPayload(Struct, frozen=True, kw_only=True):
    """A tool call that waits for an approval (lisa session approve, deny)."""

    tool_use_id: str
    """The id that approve and deny take."""
    tool_name: str
    tool_input: Any


class QuestionPayload(Struct, frozen=True, kw_only=True):
    """Questions that wait for answers (lisa session answer)."""

    question_id: str
    """The id that answer takes."""
    questions: tuple[DialogQuestion, ...]


class DialogPayload(Struct, frozen=True, kw_only=True):
    """Another dialog that waits for a choice: trust, login, limit, ... (lisa session answer)."""

    kind: str
    """waitingFor of the status."""
    message: str
    id: str = ""
    choices: tuple[DialogChoice, ...] = ()


class SessionEndPayload(Struct, frozen=True, kw_only=True):
    """The end of the session; the last frame."""

    reason: str
    """completed, failed, job_completed, user_requested, org_api_requested, max_duration_exceeded, startup_timeout
    or heartbeat_stale."""
    exit_code: int | UnsetType = UNSET


Payload = (
    UserPayload
    | AssistantPayload
    | ToolUsePayload
    | ToolResultPayload
    | SystemPayload
    | ResultPayload
    | ErrorPayload
    | StatusPayload
    | UsagePayload
    | ApprovalPayload
    | QuestionPayload
    | DialogPayload
    | SessionEndPayload
)

FRAME_TYPES: dict[type[Struct], str] = {
    UserPayload: "user",
    AssistantPayload: "assistant",
    ToolUsePayload: "tool_use",
    ToolResultPayload: "tool_result",
    SystemPayload: "system",
    ResultPayload: "result",
    ErrorPayload: "error",
    StatusPayload: "session_status",
    UsagePayload: "usage_delta",
    ApprovalPayload: "tool_approval_request",
    QuestionPayload: "ask_user_question",
    DialogPayload: "dialog",
    SessionEndPayload: "session_end",
}


class LiveFrame(Struct, frozen=True, kw_only=True):
    """One frame of a session."""

    type: str
    """user, assistant, tool_use, tool_result, system, result, error, session_status, usage_delta,
    tool_approval_request, ask_user_question, dialog or session_end."""
    payload: Payload
    timestamp: str
    """Time of the event, RFC 3339."""
    session_id: str
    """Id of the session, accepted wherever its name is."""
    cursor: str
    """Position after this frame, for `--since`; the same for every reader."""


_PAYLOADS = {name: payload for payload, name in FRAME_TYPES.items()}


class _EncodedFrame(Struct, frozen=True, kw_only=True):
    type: str
    payload: msgspec.Raw
    timestamp: str
    session_id: str
    cursor: str


def decode_frame(line: bytes) -> LiveFrame | None:
    """Return a frame from its JSON; None for a type that this version does not know. Raise msgspec.DecodeError."""
    found = msgspec.json.decode(line, type=_EncodedFrame)
    kind = _PAYLOADS.get(found.type)
    if kind is None:
        return None
    return LiveFrame(
        type=found.type,
        payload=msgspec.json.decode(found.payload, type=kind),  # type: ignore[arg-type]
        timestamp=found.timestamp,
        session_id=found.session_id,
        cursor=found.cursor,
    )


class HistoryPayload(Struct, frozen=True, kw_only=True):
    """The recorded frames."""

    messages: tuple[LiveFrame, ...]
    truncated: bool | UnsetType = UNSET
    """True if older frames are left out."""
    total: int | UnsetType = UNSET
    """Number of all messages, of which the newest are here; absent where it would take long to count them."""
    reset: str | UnsetType = UNSET
    """Reason for a start from the beginning instead of the given cursor: transcript_gone, transcript_rewritten, ..."""


class HistoryFrame(Struct, frozen=True, kw_only=True):
    """The first frame of an attached reader of the sessions API."""

    type: Literal["history"] = "history"
    payload: HistoryPayload
    timestamp: str
    """Time of the newest message."""
    session_id: str
    cursor: str
    """Position after the newest message."""


class NoticePayload(Struct, frozen=True, kw_only=True):
    """A failure, or a notice."""

    message: str
    code: str | UnsetType = UNSET
    """For error: invalid_message, rate_limited, read_only, prompt_rejected, file_error, or that of the command."""
    subtype: str | UnsetType = UNSET
    """For system: approval_notice, not_supported, interrupt_ignored, file_uploaded."""
    reason: str | UnsetType = UNSET
    """For prompt_rejected: empty, too_many_held, session_ended, or the error code of session send."""
    prompt_id: str | UnsetType = UNSET
    tool_use_id: str | UnsetType = UNSET
    request_id: str | UnsetType = UNSET
    """For file_error, and for file_uploaded to the client that has sent the file over this connection."""
    path: str | UnsetType = UNSET
    """For file_uploaded."""


class TransferPayload(Struct, frozen=True, kw_only=True):
    """The address of a file, for one use."""

    request_id: str
    url: str
    expires_at: str
    upload_url: str | UnsetType = UNSET
    """The same as `url`, for an upload."""
    download_url: str | UnsetType = UNSET
    upload_id: str | UnsetType = UNSET
    target_path: str | UnsetType = UNSET
    size: int | UnsetType = UNSET


class NoticeFrame(Struct, frozen=True, kw_only=True):
    """A frame for one client of the sessions API, about what it sent; it has no place in the session."""

    type: Literal["error", "system", "upload_url", "download_url"]
    payload: NoticePayload | TransferPayload
    timestamp: str
    session_id: str
