"""Parse claude's transcript: one JSON line becomes frames; unknown kinds of records none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.agents._claude.errors import classify_error
from lisa_py.contract.frames import Frame, Todo, Usage
from lisa_py.host.clock import parse_time

INTERRUPTED = "[Request interrupted by user"
ENQUEUE, REMOVE, POP_ALL = "enqueue", "remove", "popAll"
"""Operations on claude's prompt queue, besides the start of the next turn."""
SYNTHETIC_MODEL = "<synthetic>"
"""Model name of records that claude generates itself."""
FILLER_TEXT = "No response requested."
"""Text that claude inserts when it continues a conversation whose last turn was cut off; it is not a message."""
BLOCKED = "UserPromptSubmit operation blocked by hook:"
STOPPED = "Operation stopped by hook: "
UNKNOWN_COMMAND = "Unknown command: "
COMMAND_FORM = "Commands are in the form `/command [args]`"
"""Reply of claude itself to a slash without a name."""
INPUT_LIMIT = 2_000
DETAIL_LIMIT = 200


class _Message(Struct):
    role: Any = None
    id: Any = None
    model: Any = None
    content: Any = None
    stop_reason: Any = None
    usage: Any = None


class _Attachment(Struct, rename="camel"):
    type: Any = None
    prompt: Any = None
    command_mode: Any = None


class _Record(Struct, rename="camel"):
    """Fields read from a line; everything else is skipped."""

    type: Any = None
    subtype: Any = None
    uuid: Any = None
    timestamp: Any = None
    message: _Message | None = None
    attachment: _Attachment | None = None
    operation: Any = None
    content: Any = None
    error: Any = None
    prompt_id: Any = None
    prompt_source: Any = None
    duration_ms: Any = None
    api_error_status: Any = None
    is_api_error_message: Any = None
    is_sidechain: Any = None
    is_meta: Any = None
    is_compact_summary: Any = None
    prevent_continuation: Any = None
    retry_attempt: Any = None
    max_retries: Any = None
    api_block_index: Any = None


_decode = msgspec.json.Decoder(_Record).decode


def parse_frames(line: bytes, offset: int) -> list[Frame]:
    """Return the frames of one line; `offset` is just after it."""
    if not line.strip():
        return []
    record = _decode_line(line)
    if record is None or record.is_sidechain is True:
        return []
    return _build_frames(record, offset)


def parse_helper_frames(line: bytes, offset: int) -> list[Frame]:
    """Return the frames of one line of a subagent's own transcript."""
    record = _decode_line(line) if line.strip() else None
    return [] if record is None else _build_frames(record, offset)


def _build_frames(record: _Record, offset: int) -> list[Frame]:
    builder = _FrameBuilder(record, offset)
    if record.type == "user":
        builder.add_user()
    elif record.type == "assistant":
        builder.add_assistant()
    elif record.type == "system":
        builder.add_system()
    elif record.type == "attachment":
        builder.add_attachment()
    elif record.type == "queue-operation":
        builder.add_queue_operation()
    return builder.frames


def _decode_line(line: bytes) -> _Record | None:
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    import json  # noqa: PLC0415 - only for lines with half a surrogate pair, which strict readers refuse

    try:
        whole = json.dumps(json.loads(line.decode("utf-8", "replace")), ensure_ascii=False)
        return _decode(whole.encode("utf-8", "replace"))
    except (ValueError, msgspec.DecodeError, RecursionError):
        return None


class _FrameBuilder:
    """Frames of one record."""

    def __init__(self, record: _Record, offset: int) -> None:
        self.record = record
        self.offset = offset
        self.frames: list[Frame] = []
        self.at = (parse_time(record.timestamp) or 0.0) if isinstance(record.timestamp, str) else 0.0
        self.id = _text(record.uuid)
        self.turn = _text(record.prompt_id)

    def add(self, kind: Any, text: str = "", **more: Any) -> None:
        more.setdefault("id", self.id)
        self.frames.append(Frame(kind=kind, at=self.at, text=text, turn=self.turn, offset=self.offset, **more))

    # -- what the user said ---------------------------------------------------------------------------------

    def add_user(self) -> None:
        message = self.record.message
        if message is None:
            return
        blocks = message.content if isinstance(message.content, list) else [{"type": "text", "text": message.content}]
        texts = []
        for block in blocks:
            if not isinstance(block, dict):
                continue
            if block.get("type") == "tool_result":
                self._add_tool_result(block)
            elif block.get("type") == "text":
                texts.append(_text(block.get("text")))
        if texts:
            self._add_user_text("\n".join(texts))

    def _add_user_text(self, text: str) -> None:
        record = self.record
        if text.startswith(INTERRUPTED):
            self.add("turn_end", text, reason="interrupted")
        elif record.is_compact_summary is True:
            self.add("system", text)
        elif record.is_meta is True or not text:
            return
        elif command := local_command(text):
            self.add("system", command)
        elif text.startswith("<bash-input>"):
            self.add("user", "!" + _tag_content(text, "bash-input"))
        elif text == COMMAND_FORM:
            self.add("system", text, reason="command_unknown")
        elif text.startswith(("<local-command-", "<bash-")):
            self.add("system", text)
        elif text.startswith("<task-notification>"):
            self.add("turn_start")
            self.add("system", _tag_content(text, "summary") or text)
        else:
            queued = record.prompt_source == "queued"
            self.add("turn_start")
            self.add("user", strip_paste_tags(text), queued=queued)

    def add_attachment(self) -> None:
        """Add a prompt that claude accepted between two steps of a turn, which has no record of its own."""
        given = self.record.attachment
        if given is None or given.type != "queued_command" or given.command_mode != "prompt":
            return
        text = _content_text(given.prompt)
        if text:
            self.add("user", strip_paste_tags(text), queued=True)

    def add_queue_operation(self) -> None:
        """Add the queueing or dequeueing of a prompt; its own turn begins with a user record."""
        if self.record.operation in (ENQUEUE, REMOVE, POP_ALL):
            self.add("system", _text(self.record.content), queued=True, reason=self.record.operation)

    def _add_tool_result(self, block: dict[str, Any]) -> None:
        self.add(
            "tool_result",
            _content_text(block.get("content")),
            tool_id=_text(block.get("tool_use_id")),
            failed=block.get("is_error") is True,
        )

    # -- what the model said --------------------------------------------------------------------------------

    def add_assistant(self) -> None:
        message = self.record.message
        if message is None:
            return
        if self.record.is_api_error_message is True:
            self._add_api_error(_content_text(message.content))
            return
        blocks = message.content if isinstance(message.content, list) else []
        if message.model == SYNTHETIC_MODEL and _content_text(blocks) == FILLER_TEXT:
            self.add("turn_end", reason="interrupted")
            return
        for block in blocks:
            if isinstance(block, dict):
                self._add_block(block)
        if isinstance(message.usage, dict) and message.model != SYNTHETIC_MODEL and not self.record.api_block_index:
            # a message has one record per block, all with the whole usage: one frame, by the message's id
            self.add("usage", id=_text(message.id), usage=parse_usage(message.usage, _text(message.model)))
        if message.stop_reason in ("end_turn", "stop_sequence", "max_tokens", "refusal") and _has_visible_block(blocks):
            self.add("turn_end", reason="completed")

    def _add_block(self, block: dict[str, Any]) -> None:
        kind = block.get("type")
        if kind == "text":
            message = self.record.message
            model, name = (_text(message.model), _text(message.id)) if message is not None else ("", "")
            self.add("assistant", _text(block.get("text")), model=model, message_id=name)
        elif kind == "thinking":
            self.add("thinking", _text(block.get("thinking")))
        elif kind in ("tool_use", "server_tool_use"):
            given = block.get("input")
            tool = _text(block.get("name"))
            self.add(
                "tool_use",
                summarize_input(given),
                tool=tool,
                tool_id=_text(block.get("id")),
                input=given,
                todos=parse_todos(tool, given),
            )

    def _add_api_error(self, text: str) -> None:
        kind = classify_error(_text(self.record.error), self.record.api_error_status, text)
        self.add("error", text, error=kind)
        self.add("turn_end", text, reason="failed", error=kind)

    # -- what the program said ------------------------------------------------------------------------------

    def add_system(self) -> None:
        record = self.record
        if record.subtype == "turn_duration" and isinstance(record.duration_ms, int | float):
            seconds = record.duration_ms / 1000
            self.add("system", f"turn took {seconds:.1f} s", subtype="turn_duration", duration=seconds)
        elif record.subtype == "api_error":
            self._add_retry()
        elif record.subtype in ("informational", "local_command", "compact_boundary"):
            content = _text(record.content)
            text = local_command(content) or re.sub(r"</?local-command-\w+>", "", content)
            self.add("system", text, subtype=_text(record.subtype), reason=self._refusal_reason(content))

    def _refusal_reason(self, content: str) -> str:
        """Return the kind of refusal of the input before this record; empty if it is none."""
        if self.record.prevent_continuation is True and content.startswith((BLOCKED, STOPPED)):
            return "prompt_blocked"
        return "command_unknown" if content.startswith(UNKNOWN_COMMAND) else ""

    def _add_retry(self) -> None:
        """Add a failed request that is retried; exec runs record each, interactive sessions none."""
        record = self.record
        problem = record.error if isinstance(record.error, dict) else {}
        text = _text(problem.get("formatted")) or _text(problem.get("message")) or _text(record.content)
        attempt = f" · retry {record.retry_attempt} of {record.max_retries}" if record.retry_attempt else ""
        self.add("error", text + attempt, error=classify_error("", problem.get("status"), text))


def count_queued_prompts(frames: Sequence[Frame]) -> int:
    """Return the number of queued prompts; claude starts them by itself.

    Records are not in the order of their times: a prompt may be queued in the file before the running turn.
    """
    waiting: list[float] = []
    for frame in sorted(frames, key=lambda frame: frame.at):
        if frame.kind == "turn_start" and waiting:
            waiting.pop(0)
        elif frame.kind == "system" and frame.queued:
            _update_queue(waiting, frame)
    return len(waiting)


def _update_queue(waiting: list[float], frame: Frame) -> None:
    if frame.reason == ENQUEUE:
        waiting.append(frame.at)
    elif frame.reason == POP_ALL:
        waiting.clear()
    elif waiting:
        waiting.pop()


def _has_visible_block(blocks: list[Any]) -> bool:
    """Return True for the last record of a turn: a message has one record per block, each with the stop reason."""
    return any(
        isinstance(block, dict) and block.get("type") not in ("thinking", "redacted_thinking") for block in blocks
    )


def parse_usage(usage: dict[str, Any], model: str) -> Usage:
    """Return the usage; input counts everything sent, cached or not."""
    fresh = _number(usage.get("input_tokens"))
    written, read = (_number(usage.get(f"cache_{way}_input_tokens")) for way in ("creation", "read"))
    cached = written + read
    answer = _number(usage.get("output_tokens"))
    by_lifetime = usage.get("cache_creation")
    hour = by_lifetime.get("ephemeral_1h_input_tokens") if isinstance(by_lifetime, dict) else 0
    return Usage(
        input_tokens=fresh + cached,
        output_tokens=answer,
        cached_tokens=cached,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(written, _number(hour)),
        total_tokens=fresh + cached + answer,
        model=model,
    )


def parse_todos(tool: str, given: Any) -> tuple[Todo, ...]:
    """Return the list of a TodoWrite call; other tools change a list stored elsewhere."""
    entries = given.get("todos") if tool == "TodoWrite" and isinstance(given, dict) else None
    if not isinstance(entries, list):
        return ()
    return tuple(
        Todo(_text(entry.get("content")), status)
        for entry in entries
        if isinstance(entry, dict) and (status := entry.get("status")) in ("pending", "in_progress", "completed")
    )


def summarize_input(given: Any) -> str:
    """Return the input of a tool in one line: its main field, the first question, else the JSON."""
    if not isinstance(given, dict):
        return ""
    for key in ("command", "file_path", "path", "pattern", "url", "query", "subject", "description", "prompt"):
        value = given.get(key)
        if isinstance(value, str) and value:
            return " ".join(value.split())[:INPUT_LIMIT]
    questions = given.get("questions")
    first = questions[0] if isinstance(questions, list) and questions else None
    if isinstance(first, dict) and _text(first.get("question")):
        return " ".join(_text(first["question"]).split())[:INPUT_LIMIT]
    return msgspec.json.encode(given).decode()[:INPUT_LIMIT]


def describe_call(tool: str, line: str) -> str:
    """Return a call as the detail of a state."""
    return (f"{tool}: {line}" if tool and line else tool or line)[:DETAIL_LIMIT]


def local_command(text: str) -> str:
    """Return the slash command of a record, `/model opus`; empty if it is none."""
    if "<command-name>" not in text[:200]:
        return ""
    return f"{_tag_content(text, 'command-name')} {_tag_content(text, 'command-args')}".strip()


def strip_paste_tags(text: str) -> str:
    """Return a prompt without the tags that claude puts around pasted text."""
    if "<pasted_content" not in text:
        return text
    return re.sub(r"\n{0,2}<pasted_content\b[^>]*>\n?(.*?)\n?</pasted_content\b[^>]*>\n?", r"\1", text, flags=re.DOTALL)


def _tag_content(text: str, tag: str) -> str:
    return text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]


def _content_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(_text(block.get("text")) for block in blocks if isinstance(block, dict) and block.get("text"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
