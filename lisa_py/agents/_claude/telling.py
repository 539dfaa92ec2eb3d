"""Telling claude something: the keys its input box needs, and how it is seen to have taken a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from lisa_py.agents._claude import signals
from lisa_py.agents.base import Binding, Input, View
from lisa_py.contract.status import AgentReport

CLOCK_SLACK_SECONDS = 0.05
_COMMAND = re.compile(r"/[A-Za-z][\w:-]*(?:\s|\Z)")
_SPACE = re.compile(r"\s+")


def how(text: str, view: View, reports: Sequence[AgentReport]) -> Input:
    """A prompt is pasted; a slash command of one line is typed, for its menu to close on it."""
    resting = any(report.state in ("interrupted", "error") for report in reports)
    clear = ("C-u",) if resting or view.meta.agent_session_id else ()
    body = text.rstrip("\n")
    typed = bool(_COMMAND.match(body)) and "\n" not in body
    ends_in_backslash = body.endswith("\\")
    return Input(
        typed=typed,
        clear_first=clear,
        before_enter=("C-a",) if ends_in_backslash else (),
        settle_seconds=0.3 if typed else 0.0,
    )


def accepted(text: str, since: float, view: View, binding: Binding) -> str:
    """hook, transcript or agent_file; empty while nothing shows that the text was taken."""
    wanted = normal(text)
    for hook in reversed(view.hooks):
        at = hook.get("at")
        if not isinstance(at, int | float) or at < since - CLOCK_SLACK_SECONDS:
            break
        if _hook_takes(hook, wanted):
            return "hook"
    for frame in reversed(view.frames):
        if frame.at < since - CLOCK_SLACK_SECONDS:
            break
        if frame.kind in ("user", "system") and _same(wanted, normal(frame.text)):
            return "transcript"
    live = signals.live(view)
    if live is not None and live.status in ("busy", "waiting") and live.changed_at >= since:
        return "agent_file"
    return ""


def _hook_takes(hook: object, wanted: str) -> bool:
    if not isinstance(hook, dict):
        return False
    name, prompt = hook.get("hook"), hook.get("prompt")
    if name == "UserPromptSubmit":
        # a payload over the size limit comes without its prompt
        return not isinstance(prompt, str) or _same(wanted, normal(prompt))
    return name == "SessionStart" and hook.get("source") == "clear" and wanted.startswith("/clear")


def _same(wanted: str, seen: str) -> bool:
    """The text itself, the text inside what claude wrapped or joined it with, or what was already in the box before."""
    return bool(wanted) and (wanted == seen or seen.endswith(wanted) or seen.startswith(wanted) or wanted in seen)


def normal(text: str) -> str:
    """What is left of a text when white space and Unicode forms do not count."""
    return _SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip()
