"""Parse codex's terminal title: its activity and the thread on the screen."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from lisa_py.agents.base import View
from lisa_py.contract.late_pattern import compile_late

if TYPE_CHECKING:
    from lisa_py.agents.launch import Facts

TITLE_ITEMS = '["activity","run-state","thread-id"]'
"""Title items that lisa configures with `-c` for this run only."""
KNOWN_SINCE = (0, 169, 0)
_SPINNER = frozenset("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
_ACTION_REQUIRED = ("[ ! ] Action Required", "[ . ] Action Required")
_THREAD = compile_late(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]*")
_STATE_WORDS = frozenset(("Ready", "Starting", "Working", "Thinking", "Waiting", "Undoing"))
_NAME_MAX = 24


class TerminalTitle(Struct, frozen=True):
    """Content of one title."""

    activity: str = ""
    """asking, busy, idle, starting (of helpers: codex may be busy or idle), or empty: unknown."""
    thread: str = ""
    """Beginning of the thread id."""


def title_setting(facts: Facts) -> str:
    """Return `key=value` for a complete title, for the versions known to support it."""
    return f"tui.terminal_title={TITLE_ITEMS}" if is_known_version(facts) else ""


def is_known_version(facts: Facts) -> bool:
    """Return True for the versions whose settings were tried."""
    return tuple(int(part) for part in re.findall(r"\d+", facts.version)[:3]) >= KNOWN_SINCE


def read_title(view: View) -> TerminalTitle:
    """Parse the title of this version and configuration, as far as codex wrote it."""
    text = view.title
    parts = text.split(" | ")
    thread = next((part.rstrip(".") for part in parts if _THREAD.match(part)), "")
    if text.startswith(_ACTION_REQUIRED):
        return TerminalTitle("asking", thread)
    has_spinner = text[:1] in _SPINNER and text[1:2] in (" ", "")
    word = (text[2:] if has_spinner else text).split(" | ")[0]
    if word == "Starting":
        return TerminalTitle("starting", thread)
    if word == "Ready" and not has_spinner:
        # without a thread this is the start, or the list of tasks
        return TerminalTitle("idle" if thread else "starting", thread)
    if has_spinner or word in _STATE_WORDS:
        return TerminalTitle("busy", thread)
    return TerminalTitle("idle" if _is_folder_name(parts[-1], view) else "", thread)


def summarize_title(text: str) -> str:
    """Return the title without its spinner and the blinking of a question."""
    if text.startswith(_ACTION_REQUIRED):
        return _ACTION_REQUIRED[0] + text[len(_ACTION_REQUIRED[0]) :]
    return "⠋" + text[1:] if text[:1] in _SPINNER else text


def _is_folder_name(text: str, view: View) -> bool:
    """Return True for the folder name of codex, the end of a default title."""
    name = os.path.basename(view.meta.working_folder.rstrip("/"))
    return bool(name) and text in (name, name[: _NAME_MAX - 3] + "...")
