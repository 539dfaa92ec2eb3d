"""Frames of a transcript: one normalised stream, the same for every agent CLI."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from lisa_py.contract.answer import Answer

FrameKind = Literal[
    "user",  # a prompt, as typed
    "assistant",  # answer text
    "thinking",
    "tool_use",  # tool, tool_id, text = the input in one line
    "tool_result",  # tool_id, text, failed
    "system",
    "usage",  # usage of one model call
    "error",  # error kind in `error`, text
    "turn_start",
    "turn_end",  # reason: completed, failed, interrupted
    "result",  # the final answer of an exec run
]

ErrorKind = Literal[
    "",
    "auth",
    "permission",
    "billing",
    "bad_request",
    "too_long",
    "not_found",
    "rate_limit",
    "usage_limit",
    "server",
    "overloaded",
    "network",
    "unknown",
]

REFUSALS = {"prompt_blocked": "prompt_blocked_by_hook", "command_unknown": "command_unknown"}
"""Reasons of system frames about an input that the agent refused, with their error codes."""


class Usage(Answer, omit_defaults=True):
    """Tokens as reported by the agent."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Part of the input read from or written to a cache."""
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    """Part of the written ones that is kept for an hour."""
    total_tokens: int = 0
    model: str = ""


class Todo(Struct, frozen=True, rename="camel"):
    """One entry of the task list of the agent."""

    text: str
    status: Literal["pending", "in_progress", "completed"]


class Frame(Answer, omit_defaults=True):
    """One typed step of a transcript."""

    kind: FrameKind
    at: float = 0.0
    """Unix seconds; 0 if the record has no time."""
    text: str = ""
    id: str = ""
    """Id of the transcript record of the frame."""
    turn: str = ""
    tool: str = ""
    tool_id: str = ""
    input: Any = None
    """For tool_use: the whole input, as parsed; a text if the agent records no JSON."""
    failed: bool = False
    error: ErrorKind = ""
    reason: str = ""
    """For turn_end: completed, failed or interrupted; for system: the kind of a refusal, or the change of a queue."""
    usage: Usage | None = None
    model: str = ""
    """For assistant: the model that wrote it; empty if the record does not name it."""
    message_id: str = ""
    """For assistant: id of the model's message, which may have several records."""
    subtype: str = ""
    """For system: the agent's kind of message."""
    duration: float = 0.0
    """For turn_end and system: seconds that the turn took; 0 if unknown."""
    todos: tuple[Todo, ...] = ()
    """For tool_use of a task-list tool: the whole current list."""
    queued: bool = False
    """For user: typed while the agent was busy; for system: about the queue of such prompts, see `reason`."""
    offset: int = 0
    """Byte offset in the transcript just after the record."""
