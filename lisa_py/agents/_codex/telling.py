"""Giving codex a text, and seeing that it has taken it."""

from __future__ import annotations

import os
import re

import msgspec
from msgspec import Struct

from lisa_py.agents._codex import screen
from lisa_py.agents._codex.binding import born, held, home
from lisa_py.agents.base import Binding, Input, View
from lisa_py.host import files

HISTORY_TAIL = 1 << 18
_CLOCK_SLACK = 0.05
_OPENS_LIST = re.compile(r"(\A|\s)[@$]\S*\Z")
"""Such a last word opens a list of completions, and Enter would take one of them instead of sending the text."""


class _Said(Struct):
    session_id: str = ""
    ts: int = 0
    text: str = ""


def how(text: str, view: View) -> Input:
    """A bracketed paste and Enter work at every size, slash commands too, without a pause."""
    left = len(screen.draft(view.screen)) if view.screen else 1  # not looked at: there may be a line
    # never C-c: in an empty input box it ends codex, where C-u does nothing
    keys = ("C-e", *("C-u",) * (2 * left)) if left else ()
    # else it is run as a shell command, without a sandbox and without asking
    lead = " " if text.startswith("!") else ""
    word = _OPENS_LIST.search(text)
    if word is None:
        return Input(clear_first=keys, lead=lead)
    if not word[1]:
        keys += ("C-j",)  # an only word needs a line above it to be left for
    # out of the word, and out of its line where it begins it
    return Input(clear_first=keys, lead=lead, before_enter=("C-a", "C-a"))


def accepted(text: str, since: float, view: View, binding: Binding) -> str:
    """transcript, hook, agent_file (the prompt history), screen; or nothing yet."""
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
    if wanted.startswith("/") and (how := _command_begun(since, view, binding)):
        return how
    if _in_history(wanted, since, view, binding):
        return "agent_file"
    return "screen" if _is_pending(wanted, view) else ""


def _command_begun(since: float, view: View, binding: Binding) -> str:
    """What codex's own commands leave behind: a turn (/compact, /review) or a new thread (/new, /clear)."""
    if any(frame.kind == "turn_start" and frame.at >= since - _CLOCK_SLACK for frame in view.frames):
        return "transcript"
    began = max((born(thread) for thread in held(binding.pid)), default=0.0) if binding.pid else 0.0
    return "agent_file" if began >= since - _CLOCK_SLACK else ""


def _in_history(wanted: str, since: float, view: View, binding: Binding) -> bool:
    """codex notes a prompt at once, also one that waits for the end of a tool."""
    path = os.path.join(home(view), "history.jsonl")
    size = files.size(path)
    if size <= 0 or files.modified(path) < since - 1 or not binding.session_id:
        return False
    decoder = msgspec.json.Decoder(_Said)
    for line in reversed(files.read_from(path, max(0, size - HISTORY_TAIL), HISTORY_TAIL).splitlines()):
        try:
            said = decoder.decode(line)
        except ValueError:
            continue
        if said.ts < int(since):
            return False
        if said.session_id == binding.session_id and _plain(said.text) == wanted:
            return True
    return False


def _is_pending(wanted: str, view: View) -> bool:
    """Whether the text stands below the input box, to be given to the model after the tool that runs."""
    first = wanted.partition("\n")[0].strip()
    shown = screen.pending(view.screen)
    return any(text == first or (len(text) > 20 and first.startswith(text.rstrip(".…"))) for text in shown)


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n"))
