"""Input to claude: the keys its input box needs, and the evidence of acceptance."""

from __future__ import annotations

import os
import re
import unicodedata

import msgspec
from msgspec import Struct

from lisa_py.agents._claude import session
from lisa_py.agents.base import Binding, InputPlan, View
from lisa_py.host import files
from lisa_py.terminal import invisible

CLOCK_SLACK_SECONDS = 0.05
JUST_STARTED_SECONDS = 1.0
SETTLE_SECONDS = 0.4
"""A just started claude (2.1.197) accepts a paste and swallows an Enter directly after it."""
SLOW_PASTE_VERSION = "2.1.1"
"""Versions in which keys directly after a paste become part of it: Enter is lost, or the text stays in the box."""
PASTE_SETTLE_SECONDS = 0.15
MAX_DRAFT_ROWS = 60
UNKNOWN_COMMAND = "Unknown command: "
HISTORY_TAIL = 1 << 16


class _HistoryEntry(Struct, rename={"session_id": "sessionId"}):
    """Fields read from a line of history.jsonl."""

    display: str = ""
    timestamp: float = 0.0
    session_id: str = ""


_decode_entry = msgspec.json.Decoder(_HistoryEntry).decode
_SPACE = re.compile(r"\s+")


def clear_keys(draft: str) -> tuple[str, ...]:
    """Return the keys that empty the box: C-u deletes a row, a second one its line break; vim leaves a character."""
    rows = min(draft.count("\n") + 1, MAX_DRAFT_ROWS)
    return ("C-e", *("C-u",) * (2 * rows), "DC")


def prepare_input(text: str, view: View) -> InputPlan:
    """Return how to type a text: everything is pasted; some texts need an extra key."""
    ends_in_backslash = text.rstrip("\n").endswith("\\")  # Enter behind it makes a new line
    found = session.read_session_file(view)
    just_started = (
        found is not None and view.now - found.changed_at < JUST_STARTED_SECONDS and session.has_only_started(view)
    )
    slow_paste = view.meta.agent_version.startswith(SLOW_PASTE_VERSION)
    return InputPlan(
        # else the text runs as a shell command, unasked; a separate key can come too late (2.1.197)
        prefix=" " if text.startswith("!") else "",
        before_enter=("C-a",) if ends_in_backslash else (),
        settle_seconds=SETTLE_SECONDS if just_started else PASTE_SETTLE_SECONDS if slow_paste else 0.0,
        wait_for_echo=slow_paste,
    )


def find_acceptance(text: str, since: float, view: View, binding: Binding) -> str:
    """Return the evidence: hook, transcript or agent_file; empty while there is none."""
    wanted = normalize_text(text)
    for hook in reversed(view.hooks):
        at = hook.get("at")
        if not isinstance(at, int | float) or at < since - CLOCK_SLACK_SECONDS:
            break
        if _hook_matches(hook, wanted):
            return "hook"
    for frame in reversed(view.frames):
        if frame.at < since - CLOCK_SLACK_SECONDS:
            break
        if frame.kind in ("user", "system") and _frame_matches(normalize_text(frame.text), wanted):
            return "transcript"
    if _in_history(wanted, since, view, binding):
        return "agent_file"
    if view.hooks and not wanted.startswith("/"):
        return ""  # a prompt fires a hook; `busy` may come from the previous prompt
    found = session.read_session_file(view)
    if found is not None and found.status in ("busy", "waiting") and found.changed_at >= since:
        return "agent_file"
    return ""


def _in_history(wanted: str, since: float, view: View, binding: Binding) -> bool:
    """Search the history: claude records a prompt at once, also a queued one (2.1.197 gives no other sign of it)."""
    path = os.path.join(session.session_config_folder(view), "history.jsonl")
    size = files.size(path)
    if size <= 0 or files.modified_at(path) < since - CLOCK_SLACK_SECONDS or not binding.session_id:
        return False
    for line in reversed(files.read_from(path, max(0, size - HISTORY_TAIL), HISTORY_TAIL).splitlines()):
        try:
            entry = _decode_entry(line)
        except ValueError:
            continue
        if entry.timestamp < (since - CLOCK_SLACK_SECONDS) * 1000:
            return False
        if entry.session_id == binding.session_id and normalize_text(entry.display) == wanted:
            return True
    return False


def _hook_matches(hook: object, wanted: str) -> bool:
    if not isinstance(hook, dict):
        return False
    name, prompt = hook.get("hook"), hook.get("prompt")
    if name == "UserPromptSubmit":
        # a payload over the size limit lacks its prompt
        return not isinstance(prompt, str) or _text_matches(wanted, normalize_text(prompt))
    return name == "SessionStart" and hook.get("source") == "clear" and wanted.startswith("/clear")


def _frame_matches(seen: str, wanted: str) -> bool:
    refused = seen.startswith(UNKNOWN_COMMAND) and wanted.split(" ")[0] == seen.removeprefix(UNKNOWN_COMMAND)
    return refused or _text_matches(wanted, seen)


def _text_matches(wanted: str, seen: str) -> bool:
    """Match the text itself, the text inside claude's wrapping, or text joined with earlier content of the box."""
    return bool(wanted) and (wanted == seen or seen.endswith(wanted) or seen.startswith(wanted) or wanted in seen)


def normalize_text(text: str) -> str:
    """Return a text without white space, Unicode variants and invisible characters."""
    return _SPACE.sub(" ", invisible.strip_invisible(unicodedata.normalize("NFC", text))).strip()
