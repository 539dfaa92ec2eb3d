"""Signs of claude's screen: input line, spinner, footer, welcome box, update notice."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_py.terminal import layout

LAYOUT = layout.Layout(
    input_glyphs="❯",
    reply_glyphs="●⎿",
    below_spinner="⎿",
    spinner=rf"\s*(?:[✢✳✶✻✽∗·⏺*]\s+)?{layout.INTERRUPTIBLE}"
    r"|\s*[✢✳✶✻✽∗·]\s+\S+…(?:\s*\(.*\))?\s*\Z"
    r"|\s*[✢✳✶✻✽∗·]\s+.*\bretrying in \d+s\b.*\Z",
    furniture=r"\? for shortcuts|← for agents|(?:⏸|⏵⏵) .* on\b|-- (?:INSERT|NORMAL) --"
    r"|✻ \S+ for (?:\d+[hms] ?)+(?:· .*)?\Z",  # a random verb and a duration below each answer
)
_WELCOME_FACTS = ("getting started", "welcome back")


def banner_end(lines: Sequence[str], row: int) -> int:
    """Return the row after the welcome box or update notice; the row itself if there is none."""
    welcome = layout.welcome_end(lines, row, "claude", _WELCOME_FACTS)
    return max(welcome, layout.update_notice_end(lines, row, "claude"))
