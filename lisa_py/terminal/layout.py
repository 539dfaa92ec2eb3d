"""Screen parts that are not output: rulers, boxes, input lines, spinners, lisa's own marker lines.

Only general patterns, never the name of an agent; they are narrow, because a missed ornament costs one line and a
false match costs an answer.

"""

from __future__ import annotations

import re
from collections.abc import Sequence

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
START_MARK = "__LISA_SESSION_START__"
EXEC_MARK = "__LISA_EXEC_DONE__"
DONE_MARK = "__LISA_SESSION_DONE__"
MARKS = (START_MARK, EXEC_MARK, DONE_MARK)
INPUT_GLYPHS = "❯›"

_RULER = re.compile(r"[\u2500-\u257f\u2580-\u259f\s]+\Z")
_INPUT = re.compile(rf"\s*(?:[│┃]\s?)?[{INPUT_GLYPHS}](?:\s|\Z)")
_SPINNER = re.compile(
    r"\s*(?:[\u2800-\u28ff✢✳✶✻✽∗·•◦⏺*]\s+)?\S.*\((?:[^()]*\b)?(?:esc|ctrl\+c) to interrupt\b.*\Z"
    r"|\s*[\u2801-\u28ff]\s+\S.*\Z"
    r"|\s*[✢✳✶✻✽∗·]\s+\S+…(?:\s*\(.*\))?\s*\Z"
    r"|\s*[✢✳✶✻✽∗·]\s+.*\bretrying in \d+s\b.*\Z",
    re.IGNORECASE,
)
_BELOW_SPINNER = re.compile(r"\s*[⎿└]\s")
_MAX_HINT_LINES = 4
"""Number of hint lines that an agent keeps below its input line."""
_RIGHT_HINT_COLUMN = 40
"""Columns of indentation of a hint at the right edge."""


def is_mark(line: str) -> bool:
    """Return True for a line of the supervisor."""
    return line.lstrip().startswith(MARKS)


def is_ruler(line: str) -> bool:
    """Return True for a line of box and block characters only."""
    return bool(line.strip()) and _RULER.match(line) is not None


def is_input(line: str) -> bool:
    """Return True for a current or former input line of an agent."""
    return _INPUT.match(line) is not None


def is_spinner(line: str) -> bool:
    """Return True for a line that reports current work and disappears with it."""
    return _SPINNER.match(line) is not None


def frame_start(lines: Sequence[str]) -> int:
    """Return the first row that an agent keeps redrawing at the bottom (input line, hints, spinner above).

    The number of lines if there is no such part: the output of a plain program never moves.
    """
    found = _input_row(lines)
    if found < 0:
        return len(lines)
    start = found
    if start and is_ruler(lines[start - 1]):
        start -= 1
    while start and _is_above_input(lines, start - 1):
        start -= 1
    return start


def _is_above_input(lines: Sequence[str], row: int) -> bool:
    """Return True if this row, just above the frame, belongs to it: empty, a hint at the right edge, the spinner."""
    line = lines[row]
    if not line.strip() or line.startswith(" " * _RIGHT_HINT_COLUMN) or is_spinner(line):
        return True
    return row > 0 and _BELOW_SPINNER.match(line) is not None and is_spinner(lines[row - 1])


def _input_row(lines: Sequence[str]) -> int:
    """Return the row of the live input line, with rulers or hints around it; -1 if there is none."""
    below = 0
    for row in range(len(lines) - 1, -1, -1):
        line = lines[row]
        above_ruled = row > 0 and is_ruler(lines[row - 1])
        if is_input(line) or (line[:1] == ">" and above_ruled and row + 1 < len(lines) and is_ruler(lines[row + 1])):
            return row if above_ruled or _has_hints(line, lines[row + 1 :]) else -1
        below += bool(line.strip())
        if below > _MAX_HINT_LINES:
            return -1
    return -1


def _has_hints(line: str, below: Sequence[str]) -> bool:
    """Return True for an input line without rulers: at the left edge, above only an empty line and indented hints."""
    kept = [hint for hint in below if hint.strip()]
    return (
        line[:1] in INPUT_GLYPHS and bool(kept) and not below[0].strip() and all(hint.startswith("  ") for hint in kept)
    )


def strip_glyphs(line: str) -> str:
    """Return the line without box sides, input glyph and prompt bullets."""
    text = ANSI.sub("", line).strip()
    if text[:1] in "│┃":
        text = text[1:].rstrip("│┃").strip()
    if text[:1] in INPUT_GLYPHS + ">$":
        text = text[1:].lstrip()
    return text
