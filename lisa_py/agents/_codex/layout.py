"""Signs of codex's screen: input line, spinner, footer, start-up lines, welcome box, update notice."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lisa_py.terminal import layout

_FACTS = r"(?:provider|approval|sandbox|reasoning effort|reasoning summaries|session id|workdir|model):"
LAYOUT = layout.Layout(
    input_glyphs="›",
    reply_glyphs="•",
    below_spinner="└",
    spinner=rf"\s*(?:[•◦]\s+)?{layout.INTERRUPTIBLE}",
    furniture=rf"\? for shortcuts|← for agents|{_FACTS}(?:\s+\S+(?:\s+\[.*\])?)?\Z"
    r"|Worked for (?:\d+[hms] ?)+(?:• .*)?\Z",
    counters=("tokens used",),
)
_STARTUP = re.compile(
    r"mcp: \S+ (?:starting|started|ready|connected|disabled|failed\b.*|error\b.*|cancell?ed\b.*|timed out\b.*)\Z"
    r"|mcp startup: "
    r"|⚠\s*mcp startup incomplete"
    r"|⚠\s*under-development features enabled:",
    re.IGNORECASE,
)
_MCP_CLIENT = re.compile(r"⚠\s*mcp client for ", re.IGNORECASE)
_HEADER = re.compile(rf"-{{4,}}\Z|user\Z|warning: |{_FACTS}|\S.{{0,40}} v\d+\.\d+\S*\Z", re.IGNORECASE)
_WELCOME_FACTS = ("model:", "directory:", "approval:", "sandbox:", "session id", "update available", "getting started")


def startup_end(lines: Sequence[str], row: int) -> int:
    """Return the row after a start-up line, with the indented reason of a tool server; the row itself if none."""
    line = lines[row].strip()
    if _STARTUP.match(line):
        return row + 1
    if not _MCP_CLIENT.match(line):
        return row
    end = row + 1
    while end < len(lines) and lines[end][:1] in (" ", "\t") and lines[end].strip():
        end += 1
    return end


def banner_end(lines: Sequence[str], row: int) -> int:
    """Return the row after the welcome box or update notice; the row itself if there is none."""
    welcome = layout.welcome_end(lines, row, "codex", _WELCOME_FACTS)
    return max(welcome, layout.update_notice_end(lines, row, "codex"))


def is_header(line: str) -> bool:
    """Return True for a line of the header of `codex exec`."""
    return _HEADER.match(line) is not None
