"""Input to codex, and the evidence of its acceptance."""

from __future__ import annotations

import os
import re

import msgspec
from msgspec import Struct

from lisa_py.agents._codex import screen
from lisa_py.agents._codex.session import open_threads, session_config_folder, thread_created_at
from lisa_py.agents.base import Binding, InputPlan, View
from lisa_py.host import files

HISTORY_TAIL = 1 << 18
_CLOCK_SLACK_SECONDS = 0.05
_OPENS_COMPLETIONS = re.compile(r"(\A|\s)[@$]\S*\Z")
"""Such a last word opens a completion list, and Enter would select from it instead of sending the text."""


class _HistoryEntry(Struct):
    session_id: str = ""
    ts: int = 0
    text: str = ""


def clear_keys(draft: str) -> tuple[str, ...]:
    """Return the keys that empty the box: never C-c, which ends codex if the box is empty already."""
    return ("C-e", *("C-u",) * (2 * (draft.count("\n") + 1)))


def prepare_input(text: str, view: View) -> InputPlan:
    """Return how to type a text: a bracketed paste and Enter work at every size, also for slash commands."""
    # else it runs as a shell command, without sandbox and approval
    lead = " " if text.startswith("!") else ""
    word = _OPENS_COMPLETIONS.search(text)
    if word is None:
        return InputPlan(prefix=lead)
    # leave the word, and its line if the word begins it; a single word needs a line above it for the cursor
    return InputPlan(before_paste=() if word[1] else ("C-j",), prefix=lead, before_enter=("C-a", "C-a"))


def find_acceptance(text: str, since: float, view: View, binding: Binding) -> str:
    """Return the evidence: transcript, hook, agent_file (the prompt history), screen; or empty."""
    wanted = _normalize_text(text)
    for frame in reversed(view.frames):
        if frame.kind == "user" and frame.at >= since - _CLOCK_SLACK_SECONDS and _normalize_text(frame.text) == wanted:
            return "transcript"
    for entry in reversed(view.hooks):
        at = entry.get("at")
        if not isinstance(at, (int, float)) or at < since - _CLOCK_SLACK_SECONDS:
            break
        if entry.get("hook") == "UserPromptSubmit" and _normalize_text(str(entry.get("prompt") or "")) == wanted:
            return "hook"
    if wanted.startswith("/") and (source := _command_evidence(since, view, binding)):
        return source
    if _in_history(wanted, since, view, binding):
        return "agent_file"
    return "screen" if _is_pending(wanted, view) else ""


def _command_evidence(since: float, view: View, binding: Binding) -> str:
    """Return the evidence of a codex command: a turn (/compact, /review) or a new thread (/new, /clear)."""
    if any(frame.kind == "turn_start" and frame.at >= since - _CLOCK_SLACK_SECONDS for frame in view.frames):
        return "transcript"
    newest_thread_at = (
        max((thread_created_at(thread) for thread in open_threads(binding.pid)), default=0.0) if binding.pid else 0.0
    )
    return "agent_file" if newest_thread_at >= since - _CLOCK_SLACK_SECONDS else ""


def _in_history(wanted: str, since: float, view: View, binding: Binding) -> bool:
    """Search the history: codex records a prompt at once, also one queued behind a tool."""
    path = os.path.join(session_config_folder(view), "history.jsonl")
    size = files.size(path)
    if size <= 0 or files.modified_at(path) < since - 1 or not binding.session_id:
        return False
    decoder = msgspec.json.Decoder(_HistoryEntry)
    for line in reversed(files.read_from(path, max(0, size - HISTORY_TAIL), HISTORY_TAIL).splitlines()):
        try:
            entry = decoder.decode(line)
        except ValueError:
            continue
        if entry.ts < int(since):
            return False
        if entry.session_id == binding.session_id and _normalize_text(entry.text) == wanted:
            return True
    return False


def _is_pending(wanted: str, view: View) -> bool:
    """Return True if the text is below the input box, queued behind the running tool."""
    first = wanted.partition("\n")[0].strip()
    pending_texts = screen.pending_texts(view.screen)
    return any(text == first or (len(text) > 20 and first.startswith(text.rstrip(".…"))) for text in pending_texts)


def _normalize_text(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n"))
