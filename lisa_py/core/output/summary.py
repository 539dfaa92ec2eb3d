"""Summarise output: terse, ops and debug, within a token budget that keeps the newest lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.late_pattern import compile_late
from lisa_py.core.output import token_budget
from lisa_py.terminal import layout
from lisa_py.terminal.layout import Layout

NO_OUTPUT = "(no capture output)"
_ERROR = compile_late(
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


def summarize(
    text: str, style: str, tokens: int, signs: Layout, *, session: str = "", state: str = "unavailable"
) -> Summary:
    """Summarise; `debug` shows `state` as the state of the session."""
    lines = _drop_frame([line.rstrip() for line in text.split("\n")], signs)
    if style == "terse":
        fitted, cut = token_budget.fit(_terse(lines), tokens)
    elif style == "ops":
        fitted, cut = _fit_below(_ops_head(lines, session), _ops_tail(lines), tokens)
    else:
        fitted, cut = _fit_below(_debug_head(text, lines, session, state), _debug_tail(lines), tokens)
    return Summary(fitted, style, tokens, cut)


def _drop_frame(lines: list[str], signs: Layout) -> list[str]:
    """Return the lines without rulers and input box of a full-screen agent, which would fill the budget."""
    body = lines[: signs.frame_start(lines)]
    return [line for line in body if not layout.is_ruler(line)] if any(map(str.strip, body)) else lines


def _fit_below(head: str, tail: str, tokens: int) -> tuple[str, bool]:
    """Keep the head and cut the tail, as long as half of the budget is left for the tail."""
    max_bytes = tokens * token_budget.BYTES_PER_TOKEN
    whole = f"{head}\n{tail}" if tail else head
    taken = len(head.encode("utf-8", "replace")) + 1
    if not tail or taken > max_bytes // 2:
        return token_budget.keep_newest(whole, max_bytes)
    fitted, cut = token_budget.keep_newest(tail, max_bytes - taken)
    return f"{head}\n{fitted}", cut


def _meaningful_lines(lines: Sequence[str]) -> list[str]:
    """Return non-empty lines without the supervisor's marks and immediate repeats."""
    kept: list[str] = []
    for line in (line.strip() for line in lines):
        if line and not line.startswith((layout.START_MARK, layout.DONE_MARK)) and kept[-1:] != [line]:
            kept.append(line)
    return kept


def _terse(lines: Sequence[str]) -> str:
    return "\n".join(_meaningful_lines(lines)[-_TERSE_LINES:]) or NO_OUTPUT


def is_error(line: str) -> bool:
    """Return True if a line reports an error; `no errors` and `0 errors` do not."""
    return _ERROR.search(line) is not None


def _format_bool(value: bool) -> str:
    return "true" if value else "false"


def _ops_head(lines: Sequence[str], session: str) -> str:
    whole = "\n".join(lines)
    return "\n".join(
        (
            "ops_summary:",
            f"session={session}",
            f"lines={_count_lines(lines)}",
            f"contains_done_marker={_format_bool(layout.DONE_MARK in whole)}",
            f"contains_exec_done={_format_bool(layout.EXEC_MARK in whole)}",
            f"contains_error={_format_bool(any(map(is_error, lines)))}",
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
        ("debug_summary:", f"session={session}", f"state={state}", f"chars={len(text)}", f"lines={_count_lines(lines)}")
    )


def _debug_tail(lines: Sequence[str]) -> str:
    kept = [line for line in lines if line.strip()]
    return "\n".join(["head:", *kept[:_DEBUG_HEAD], "tail:", *kept[-_DEBUG_TAIL:]])


def _count_lines(lines: Sequence[str]) -> int:
    return 0 if list(lines) == [""] else len(lines)
