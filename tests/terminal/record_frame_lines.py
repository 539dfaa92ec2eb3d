"""Record the output of the limacharlie client for frames: python tests/terminal/record_frame_lines.py, with
limacharlie==5.10.1 installed. It writes frame_lines.json, which test_frame_lines.py compares with lisa's lines."""

from __future__ import annotations

import contextlib
import io
import json
import random
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("frame_lines.json")
STAMP = "2026-01-02T03:04:05.678Z"
WORDS = (
    "", " ", "x", "é\u2028b", "a\n\nb", "  lead", "trail \n", "long " * 150, "tab\tx", "\x1b[31mred\x1b[0m", "日本",
    "a\r\nb", '"q"', "🙂",
)  # fmt: skip
KEYS = {
    "assistant": ("content",),
    "user": ("content", "text"),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id", "content"),
    "system": ("subtype", "message", "text"),
    "error": ("code", "message"),
    "session_end": ("reason", "exit_code"),
    "result": ("summary", "message", "success"),
    "tool_approval_request": ("tool_use_id", "tool_name", "tool_input"),
    "ask_user_question": ("question_id", "questions"),
    "session_status": ("status",),
    "usage_delta": ("input_tokens",),
    "sdk_session_id": ("id",),
    "session_error": ("error", "details"),
    "upload_url": ("request_id", "url"),
}
TABLE: tuple[dict[str, Any], ...] = (
    {"type": "user", "payload": {"content": "fix it\n\nnow"}},
    {"type": "user", "payload": {"text": "  as typed  "}},
    {"type": "user", "payload": {"content": [{"type": "tool_result", "text": "hidden"}]}},
    {"type": "assistant", "payload": {"content": "\n\nhello\n  indented\n"}},
    {"type": "assistant", "payload": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}},
    {"type": "assistant", "payload": {"content": [{"type": "thinking", "thinking": "hm"}]}},
    {"type": "tool_use", "payload": {"id": "t1", "name": "Bash", "input": {"command": "ls  -l\n", "n": 1}}},
    {"type": "tool_use", "payload": {"id": "t1", "name": "Write", "input": {"content": "é" * 600}}},
    {"type": "tool_use", "payload": {}},
    {"type": "tool_result", "payload": {"tool_use_id": "t1", "content": "one\ntwo\n\nthree\n"}},
    {"type": "tool_result", "payload": {"tool_use_id": "t1", "content": "r" * 4096}},
    {"type": "tool_result", "payload": {"tool_use_id": "t1", "content": "r" * 4000}},
    {"type": "tool_result", "payload": {"tool_use_id": "t1", "content": [{"type": "text", "text": "x"}]}},
    {"type": "tool_result", "payload": {"tool_use_id": "t1", "content": ""}},
    {"type": "system", "payload": {"subtype": "hook_started", "message": "hidden"}},
    {"type": "system", "payload": {"subtype": "budget_warning", "message": "80 %\nof  it"}},
    {"type": "system", "payload": {"subtype": "init", "message": ""}},
    {"type": "system", "payload": {"message": "s" * 501}},
    {"type": "result", "payload": {"success": True, "subtype": "completed", "duration_ms": 5}},
    {"type": "result", "payload": {"success": False, "summary": "interrupted"}},
    {"type": "error", "payload": {"code": "agent_overloaded", "message": "try again\nlater"}},
    {"type": "session_status", "payload": {"status": "running"}},
    {"type": "usage_delta", "payload": {"input_tokens": 1}},
    {"type": "tool_approval_request", "payload": {"tool_use_id": "t", "tool_name": "Bash", "tool_input": {"a": 1}}},
    {"type": "ask_user_question", "payload": {"questions": [{"question": "Red?"}, {"header": "x"}]}},
    {"type": "ask_user_question", "payload": {"questions": []}},
    {"type": "session_end", "payload": {"reason": "completed", "exit_code": 0}},
    {"type": "session_end", "payload": {"reason": "user_requested"}},
    {"type": "download_url", "payload": {"url": "u"}},
    {"type": "heartbeat_ack"},
)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def build_messages() -> list[dict[str, Any]]:
    """Return the table with a time, then made-up messages, always the same."""
    dice = random.Random(8)
    return [{**message, "timestamp": STAMP} for message in TABLE] + [_invent_message(dice) for _ in range(200)]


def _invent_message(dice: random.Random) -> dict[str, Any]:
    kind = dice.choice(list(KEYS))
    payload = {key: _invent_field(dice, kind, key) for key in KEYS[kind] if dice.random() < 0.85}
    stamp = dice.choice([STAMP, "2026-01-02 03:04", "", "2026-01-02T03:04:05+02:00"])
    return {"type": kind, "payload": payload, **({"timestamp": stamp} if dice.random() < 0.9 else {})}


def _invent_field(dice: random.Random, kind: str, key: str) -> Any:
    if key == "subtype":
        return dice.choice(["", "hook_started", "model_set", "budget_warning"])
    if key == "questions":
        return [{"question": dice.choice(WORDS)} if dice.random() < 0.8 else {} for _ in range(dice.randrange(3))]
    if key == "content" and kind != "tool_result":
        return [_invent_block(dice) for _ in range(dice.randrange(4))] if dice.random() < 0.5 else dice.choice(WORDS)
    if key == "text":
        return dice.choice(WORDS)
    return _invent_value(dice)


def _invent_block(dice: random.Random) -> dict[str, str]:
    kinds = ("text", "text", "tool_use", "tool_result", "thinking", "new")
    return {"type": dice.choice(kinds), **({"text": dice.choice(WORDS)} if dice.random() < 0.8 else {})}


def _invent_value(dice: random.Random, depth: int = 0) -> Any:
    kind = dice.randrange(8 if depth < 3 else 6)
    if kind < 4:
        return dice.choice(WORDS)
    if kind == 4:
        return dice.choice([-1, 0, 7, 0.5])
    if kind == 5:
        return dice.choice([None, True, False])
    if kind == 6:
        return [_invent_value(dice, depth + 1) for _ in range(dice.randrange(3))]
    return {dice.choice("ab"): _invent_value(dice, depth + 1) for _ in range(dice.randrange(3))}


def _show(message: dict[str, Any], verbose: bool, streams: type[io.StringIO]) -> list[str]:
    """Return what the client writes to standard output and to standard error."""
    from limacharlie.commands import _ai_attach  # type: ignore[import-not-found]

    out, err = streams(), streams()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if not _ai_attach._should_skip_message(message, verbose):
            _ai_attach._render_message(message, verbose=verbose)
    return [out.getvalue(), err.getvalue()]


def main() -> None:
    recorded = [
        {
            "message": message,
            "plain": _show(message, False, io.StringIO),
            "verbose": _show(message, True, io.StringIO),
            "colored": _show(message, False, _Terminal),
        }
        for message in build_messages()
    ]
    TARGET.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in recorded) + "\n]\n")


if __name__ == "__main__":
    main()
