"""Signs of claude's screen: input line, spinner, footer, welcome box, update notice."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_py.contract.late_pattern import compile_late
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
_NOISE = (
    compile_late(r"^\s*[▐▝▘▛▜█▙▟▀▄ ]{4,}\s+(?:Claude Code v|\S.*·|[/~])"),
    compile_late(r"^╭─+ Claude Code v"),
    compile_late(r"^╰─{20,}╯$"),
    compile_late(r"^│.*(?:[▐▝▘▛▜█]{2}|Welcome back|Tips for getting started|What's new|Claude Code changelog|─{20,})"),
    compile_late(r"^│ +\S.*(?:Run /init|Ask Claude to|Usage Billing|Claude (?:Max|Pro|Team|API))"),
    compile_late(r"^│ {3,}(?:\S.*)? {3,}│ {20,}│$"),
    compile_late(r"^Welcome to Claude Code"),
    compile_late(r"^\s*(?:⏸|⏵⏵) .*\bon\b"),
    compile_late(r"^\s*\? for shortcuts"),
    compile_late(r"^\s+tmux focus-events off"),
)
_WELCOME_FACTS = ("getting started", "welcome back")


def banner_end(lines: Sequence[str], row: int) -> int:
    """Return the row after the welcome box or update notice; the row itself if there is none."""
    welcome = layout.welcome_end(lines, row, "claude", _WELCOME_FACTS)
    return max(welcome, layout.update_notice_end(lines, row, "claude"))


def is_noise(line: str) -> bool:
    """Return True if a line belongs to the welcome box, the start logo or the footer."""
    return any(pattern.search(line) for pattern in _NOISE)
