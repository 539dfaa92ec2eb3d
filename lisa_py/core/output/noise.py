"""Remove start-up lines from pane text: only above the first answer, only known patterns, always counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from lisa_py import agents
from lisa_py.core.output.prompt_echo import squeeze
from lisa_py.terminal import layout

_STARTUP = re.compile(
    r"mcp: \S+ (?:starting|started|ready|connected|disabled|failed\b.*|error\b.*|cancell?ed\b.*|timed out\b.*)\Z"
    r"|mcp startup: "
    r"|⚠\s*mcp startup incomplete"
    r"|⚠\s*under-development features enabled:",
    re.IGNORECASE,
)
_MCP_CLIENT = re.compile(r"⚠\s*mcp client for ", re.IGNORECASE)
_HEADER = re.compile(
    r"-{4,}\Z|user\Z|warning: |(?:workdir|model|provider|approval|sandbox|reasoning effort|reasoning summaries"
    r"|session id):|\S.{0,40} v\d+\.\d+\S*\Z",
    re.IGNORECASE,
)
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


class NoiseFilter(Struct, frozen=True):
    """The remaining lines, and the number of removed ones."""

    keep: tuple[bool, ...]
    removed: int

    def apply(self, lines: Sequence[str], start: int = 0) -> list[str]:
        """Return the remaining lines from a row on."""
        return [line for line, stays in zip(lines[start:], self.keep[start:], strict=False) if stays]


def keep_all(lines: Sequence[str]) -> NoiseFilter:
    return NoiseFilter((True,) * len(lines), 0)


def filter_noise(
    lines: Sequence[str],
    *,
    prompt: str = "",
    is_noise: Callable[[str], bool] = lambda line: False,
    startup: bool = True,
) -> NoiseFilter:
    """Filter the lines of a pane from its first line on; without `startup` only banners and update notices go.

    `is_noise` is supplied by the agent. Nothing is removed after the first possible answer.
    """
    keep = [True] * len(lines)
    squeezed_prompt = squeeze(prompt)
    row = 0
    while row < len(lines):
        end = _startup_end(lines, row, is_noise) if startup else row
        end = max(end, _banner_end(lines, row))
        if end > row:
            keep[row:end] = [False] * (end - row)
            row = end
        elif _is_startup_line(lines[row], squeezed_prompt):
            row += 1
        else:
            break
    return NoiseFilter(tuple(keep), keep.count(False))


def _banner_end(lines: Sequence[str], row: int) -> int:
    end = _box_end(lines, row)
    if end > row:
        return end if _is_banner(lines[row:end]) else row
    if not _is_update_notice(lines[row]):
        return row
    end = row + 1
    while end < len(lines) and _is_update_hint(lines[end]):
        end += 1
    return end


def _startup_end(lines: Sequence[str], row: int, is_noise: Callable[[str], bool]) -> int:
    """Return the row after the start-up lines that begin in this row; the row itself if there are none."""
    line = lines[row].strip()
    if not line:
        return row
    if _MCP_CLIENT.match(line):
        end = row + 1
        while end < len(lines) and lines[end][:1] in (" ", "\t") and lines[end].strip():
            end += 1
        return end
    # a box side is not enough: an answer may be a table
    is_agent_noise = line[0] not in "│┃|╭╰┌└" and is_noise(lines[row])
    return row + 1 if is_agent_noise or _STARTUP.match(line) else row


def _is_startup_line(line: str, squeezed_prompt: str) -> bool:
    """Return True if a remaining line belongs to the start: empty, a marker, a header, or the echoed prompt."""
    text = layout.ANSI.sub("", line).strip()
    if not text or layout.is_mark(text) or layout.is_input(text) or layout.is_ruler(text) or _HEADER.match(text):
        return True
    return bool(squeezed_prompt) and squeeze(text) in squeezed_prompt


def _box_end(lines: Sequence[str], start: int) -> int:
    """Return the row after the closed box that begins in this row; `start` if there is none."""
    if not _TOP.match(lines[start]):
        return start
    for row in range(start + 1, min(len(lines), start + _MAX_BOX_ROWS)):
        if _BOTTOM.match(lines[row]):
            return row + 1
        if not _SIDE.match(lines[row]):
            return start
    return start


def _is_banner(box: Sequence[str]) -> bool:
    """Return True if a box is the welcome of an agent: it names an agent and one of the usual facts."""
    text = "\n".join(box).lower()
    return _mentions_agent(text) and any(fact in text for fact in _FACTS)


def _is_update_notice(line: str) -> bool:
    """Return True if the line only announces an update of an agent."""
    found = _NOTICE.match(line.strip())
    return found is not None and bool(_mentions_agent(line.lower()) or _VERSION.search(found["rest"]))


def _is_update_hint(line: str) -> bool:
    """Return True if the line, directly after a notice, describes the update command."""
    return _UPDATE_HINT.match(line.strip()) is not None


def _mentions_agent(text: str) -> bool:
    return any(name in text for name in agents.names())
