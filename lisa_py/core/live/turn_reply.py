"""Collect the reply to one prompt from the frames of a session."""

from __future__ import annotations

import re
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.live import (
    ApprovalPayload,
    AssistantPayload,
    DialogPayload,
    ErrorPayload,
    LiveFrame,
    QuestionPayload,
    ResultPayload,
    SessionEndPayload,
    StatusPayload,
    SystemPayload,
    ToolResultPayload,
    ToolUsePayload,
    UsagePayload,
    UserPayload,
)
from lisa_py.core.live.prompt_ids import normalize_prompt
from lisa_py.core.send import input_text
from lisa_py.terminal.invisible import strip_invisible

ReplyEnd = Literal["", "completed", "failed", "interrupted", "dialog", "session_ended", "timeout"]
NOT_COMPLETED = {
    "failed": "turn_failed",
    "interrupted": "turn_interrupted",
    "dialog": "agent_waiting_dialog",
    "session_ended": "agent_not_running",
    "timeout": "reply_timeout",
}
"""Error code by end."""
_IMAGE_PATH = r"\S.*?\.(?:png|jpe?g|gif|webp)['\"]?"


class ReplyTool(Answer):
    """A tool call of the turn."""

    name: str
    input: Any
    failed: bool | UnsetType = UNSET


class ReplyUsage(Answer):
    """Tokens of the turn."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    model_calls: int


class TurnReply:
    """The acts of the agent from a prompt to the end of its turn."""

    def __init__(self, prompt: str, *, image_mark: str = "", ends_at_dialog: bool = True) -> None:
        """`image_mark` is the pattern of what the agent writes into its transcript in place of the path of an image."""
        self._ends_at_dialog = ends_at_dialog
        self._prompt = _normalize(prompt)
        self._image_mark = image_mark
        self.is_command = input_text.is_command(prompt)
        """The prompt is a command of the agent, which may have neither a turn nor a reply."""
        self.has_begun = False
        """True once the conversation holds the prompt."""
        self.ended: ReplyEnd = ""
        self.is_idle = False
        """The agent waits for the next prompt, without a record of the end of its turn, or of its begin."""
        self.cursor = ""
        """Position after the last frame of the reply."""
        self.dialog: ApprovalPayload | QuestionPayload | DialogPayload | None = None
        self.error = ""
        self.duration_ms = 0
        self._texts: list[str] = []
        self._last_texts: list[str] = []
        self._tools: dict[str, ReplyTool] = {}
        self._usage: list[UsagePayload] = []

    def add(self, frame: LiveFrame) -> None:
        """Take a frame; those before the prompt and behind the end do not count."""
        if self.ended:
            return
        payload = frame.payload
        if isinstance(payload, SessionEndPayload):
            self.ended = "session_ended"
        elif not self.has_begun:
            self._begin(payload)
        else:
            self._add_part(payload)
        self.cursor = frame.cursor

    def _begin(self, payload: Any) -> None:
        match payload:
            case UserPayload(content=shown):
                self.has_begun = self._is_own(shown)
                self.is_idle = self.is_idle and not self.has_begun
            case SystemPayload(message=shown) if self.is_command:
                self.has_begun = self._is_own(shown)
            case DialogPayload() if self._ends_at_dialog:
                self.ended, self.dialog = "dialog", payload  # the prompt waits behind it, or has opened it
            case StatusPayload():
                self._note_status(payload)

    def _is_own(self, shown: str) -> bool:
        """Return True for the record of the prompt, alone or before other text."""
        shown = _normalize(shown)
        if not self._prompt or shown.startswith(self._prompt):
            return bool(self._prompt)
        parts = re.split(self._image_mark, shown) if self._image_mark else []
        return len(parts) > 1 and re.fullmatch(_IMAGE_PATH.join(map(re.escape, parts)), self._prompt) is not None

    def _note_status(self, payload: StatusPayload) -> None:
        self.is_idle = payload.status == "waiting_input" and payload.waiting_for == "prompt"

    def _add_part(self, payload: Any) -> None:
        match payload:
            case AssistantPayload(content=str() as text):
                self._texts.append(text)
                self._last_texts.append(text)
            case ToolUsePayload():
                self._last_texts.clear()
                self._tools[payload.id] = ReplyTool(name=payload.name, input=payload.input)
            case ToolResultPayload() if payload.is_error is True and payload.tool_use_id in self._tools:
                call = self._tools[payload.tool_use_id]
                self._tools[payload.tool_use_id] = ReplyTool(name=call.name, input=call.input, failed=True)
            case UsagePayload():
                self._usage.append(payload)
            case ErrorPayload():
                self.error = payload.message
            case ApprovalPayload() | QuestionPayload() | DialogPayload() if self._ends_at_dialog:
                self.ended, self.dialog = "dialog", payload
            case SystemPayload(subtype="interrupted"):
                self.ended = "interrupted"
            case StatusPayload():
                self._note_status(payload)
            case ResultPayload():
                self._end(payload)

    def _end(self, payload: ResultPayload) -> None:
        self.duration_ms = payload.duration_ms or self.duration_ms
        if payload.subtype == "turn_duration":
            return  # it follows the end
        if payload.subtype == "interrupted":
            self.ended = "interrupted"
        else:
            self.ended = "completed" if payload.success and not self.error else "failed"

    def finish(self, ended: ReplyEnd) -> None:
        """End the reply for a reason that no frame has."""
        self.ended = self.ended or ended

    @property
    def text(self) -> str:
        """Return the text after the last tool call; all text if there is none after it."""
        return "\n\n".join(self._last_texts or self._texts)

    @property
    def whole_text(self) -> str:
        return "\n\n".join(self._texts)

    @property
    def tools(self) -> tuple[ReplyTool, ...]:
        return tuple(self._tools.values())

    @property
    def usage(self) -> ReplyUsage | None:
        """Return the tokens; None if the agent records none."""
        if not self._usage:
            return None
        return ReplyUsage(
            input_tokens=sum(each.input_tokens for each in self._usage),
            output_tokens=sum(each.output_tokens for each in self._usage),
            cached_tokens=sum(each.cached_tokens for each in self._usage),
            model_calls=len(self._usage),
        )


def _normalize(text: str) -> str:
    return strip_invisible(normalize_prompt(text))
