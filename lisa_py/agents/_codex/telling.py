"""Giving codex a text, and seeing that it has taken it."""

from __future__ import annotations

import os

import msgspec
from msgspec import Struct

from lisa_py.agents._codex.binding import home
from lisa_py.agents.base import Binding, Input, View
from lisa_py.host import files

HISTORY_TAIL = 1 << 18
_CLOCK_SLACK = 0.05


class _Said(Struct):
    session_id: str = ""
    ts: int = 0
    text: str = ""


def how(text: str) -> Input:
    """A bracketed paste and Enter work at every size, slash commands too, without a pause."""
    return Input()


def accepted(text: str, since: float, view: View, binding: Binding) -> str:
    """transcript, hook or agent_file (the prompt history), or nothing yet."""
    wanted = _plain(text)
    for frame in reversed(view.frames):
        if frame.kind == "user" and frame.at >= since - _CLOCK_SLACK and _plain(frame.text) == wanted:
            return "transcript"
    for entry in reversed(view.hooks):
        at = entry.get("at")
        if not isinstance(at, (int, float)) or at < since - _CLOCK_SLACK:
            break
        if entry.get("hook") == "UserPromptSubmit" and _plain(str(entry.get("prompt") or "")) == wanted:
            return "hook"
    return "agent_file" if _in_history(wanted, since, view, binding) else ""


def _in_history(wanted: str, since: float, view: View, binding: Binding) -> bool:
    path = os.path.join(home(view), "history.jsonl")
    size = files.size(path)
    if size <= 0 or files.modified(path) < since - 1 or not binding.session_id:
        return False
    decoder = msgspec.json.Decoder(_Said)
    for line in reversed(files.read_from(path, max(0, size - HISTORY_TAIL), HISTORY_TAIL).splitlines()):
        try:
            said = decoder.decode(line)
        except (msgspec.DecodeError, msgspec.ValidationError):
            continue
        if said.ts < int(since):
            return False
        if said.session_id == binding.session_id and _plain(said.text) == wanted:
            return True
    return False


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n"))
