"""Find the welcome box and update notice of an agent at the top of a pane; other boxes stay."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lisa_py import agents

_TOP = re.compile(r"\s*[╭┌┏╔][─━═\-]{2,}.*\Z")
_BOTTOM = re.compile(r"\s*[╰└┗╚][─━═\-]{2,}.*\Z")
_SIDE = re.compile(r"\s*[│┃║|].*\Z")
_MAX_BOX_ROWS = 24
_FACTS = ("model:", "directory:", "approval:", "sandbox:", "session id", "update available", "getting started")
_NOTICE = re.compile(r"(?:[✨⚠⬆!]\s*)?(?:(?P<who>[\w ]{1,30}) )?update available(?P<rest>\b.*)\Z", re.IGNORECASE)
_VERSION = re.compile(r"\d+\.\d+")
_UPDATE_HINT = re.compile(
    r"run `?\S+(?: \S+){0,6}`? to update\W*\Z|see (?:full )?release notes\b.*\Z|https?://\S+\Z", re.I
)


def box_end(lines: Sequence[str], start: int) -> int:
    """Return the row after the closed box that begins in this row; `start` if there is none."""
    if not _TOP.match(lines[start]):
        return start
    for row in range(start + 1, min(len(lines), start + _MAX_BOX_ROWS)):
        if _BOTTOM.match(lines[row]):
            return row + 1
        if not _SIDE.match(lines[row]):
            return start
    return start


def is_banner(box: Sequence[str]) -> bool:
    """Return True if a box is the welcome of an agent: it names an agent and one of the usual facts."""
    text = "\n".join(box).lower()
    return mentions_agent(text) and any(fact in text for fact in _FACTS)


def is_update_notice(line: str) -> bool:
    """Return True if the line only announces an update of an agent."""
    found = _NOTICE.match(line.strip())
    return found is not None and bool(mentions_agent(line.lower()) or _VERSION.search(found["rest"]))


def is_update_hint(line: str) -> bool:
    """Return True if the line, directly after a notice, describes the update command."""
    return _UPDATE_HINT.match(line.strip()) is not None


def mentions_agent(text: str) -> bool:
    return any(name in text for name in agents.names())
