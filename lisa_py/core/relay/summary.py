"""Short forms of what a session said: terse, ops and debug, within a token budget that keeps the newest."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from lisa_py.core.relay import budget, chrome

NOTHING = "(no capture output)"
_ERROR = re.compile(
    r"(?<!no )(?<!0 )(?<!without )\b(?:errors?|exception|traceback|fatal|panic(?:ked)?)\b", re.IGNORECASE
)
_TERSE_LINES = 20
_OPS_TAIL = 8
_OPS_ERRORS = 3
_DEBUG_HEAD = 6
_DEBUG_TAIL = 10


class Summary(Struct, frozen=True):
    text: str
    style: str
    budget: int
    truncated: bool


def make(text: str, style: str, tokens: int, *, session: str = "", state: str = "unavailable") -> Summary:
    """Summarise; `state` is what `debug` shows as the session's state."""
    lines = _output([line.rstrip() for line in text.split("\n")])
    if style == "terse":
        words, cut = budget.fit(_terse(lines), tokens)
    elif style == "ops":
        words, cut = _fit_below(_ops_head(lines, session), _ops_tail(lines), tokens)
    else:
        words, cut = _fit_below(_debug_head(text, lines, session, state), _debug_tail(lines), tokens)
    return Summary(words, style, tokens, cut)


def _output(lines: list[str]) -> list[str]:
    """Without the rulers and the input box of a full-screen agent, which would fill the budget with drawing."""
    body = lines[: chrome.frame_start(lines)]
    return [line for line in body if not chrome.is_ruler(line)] if any(map(str.strip, body)) else lines


def _fit_below(head: str, tail: str, tokens: int) -> tuple[str, bool]:
    """Keep the head whole and cut the tail, as long as the head leaves the tail half of the room."""
    most = tokens * budget.BYTES_PER_TOKEN
    whole = f"{head}\n{tail}" if tail else head
    taken = len(head.encode("utf-8", "replace")) + 1
    if not tail or taken > most // 2:
        return budget.newest(whole, most)
    words, cut = budget.newest(tail, most - taken)
    return f"{head}\n{words}", cut


def _said(lines: Sequence[str]) -> list[str]:
    """Lines that hold something, without the supervisor's start and end marks and immediate repeats."""
    kept: list[str] = []
    for line in (line.strip() for line in lines):
        if line and not line.startswith((chrome.START_MARK, chrome.DONE_MARK)) and kept[-1:] != [line]:
            kept.append(line)
    return kept


def _terse(lines: Sequence[str]) -> str:
    return "\n".join(_said(lines)[-_TERSE_LINES:]) or NOTHING


def is_error(line: str) -> bool:
    """Whether a line speaks of an error; `no errors` and `0 errors` do not."""
    return _ERROR.search(line) is not None


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _ops_head(lines: Sequence[str], session: str) -> str:
    whole = "\n".join(lines)
    return "\n".join(
        (
            "ops_summary:",
            f"session={session}",
            f"lines={_count(lines)}",
            f"contains_done_marker={_flag(chrome.DONE_MARK in whole)}",
            f"contains_exec_done={_flag(chrome.EXEC_MARK in whole)}",
            f"contains_error={_flag(any(map(is_error, lines)))}",
        )
    )


def _ops_tail(lines: Sequence[str]) -> str:
    kept = [line for line in lines if line.strip()]
    tail = kept[-_OPS_TAIL:]
    errors = [line for line in kept[:-_OPS_TAIL] if is_error(line)][-_OPS_ERRORS:]
    above = ["errors:", *errors] if errors else []
    return "\n".join([*above, "tail:", *tail])


def _debug_head(text: str, lines: Sequence[str], session: str, state: str) -> str:
    return "\n".join(
        ("debug_summary:", f"session={session}", f"state={state}", f"chars={len(text)}", f"lines={_count(lines)}")
    )


def _debug_tail(lines: Sequence[str]) -> str:
    kept = [line for line in lines if line.strip()]
    return "\n".join(["head:", *kept[:_DEBUG_HEAD], "tail:", *kept[-_DEBUG_TAIL:]])


def _count(lines: Sequence[str]) -> int:
    return 0 if list(lines) == [""] else len(lines)
