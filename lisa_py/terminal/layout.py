"""Screen parts that are not output: rulers, boxes, input lines, spinners, lisa's own marker lines.

`Layout` holds the signs that an agent adds; its patterns are narrow, because a missed ornament costs one line and a
false match costs an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from lisa_py.contract.late_pattern import compile_late

ANSI = compile_late(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
MARK_PREFIX = "__LISA_"
START_MARK = f"{MARK_PREFIX}SESSION_START__"
EXEC_MARK = f"{MARK_PREFIX}EXEC_DONE__"
DONE_MARK = f"{MARK_PREFIX}SESSION_DONE__"
MARKS = (START_MARK, EXEC_MARK, DONE_MARK)

INTERRUPTIBLE = r"\S.*\((?:[^()]*\b)?(?:esc|ctrl\+c) to interrupt\b.*\Z"
"""Pattern of work that a key interrupts, for `Layout.spinner`."""
_QUOTE_CHARACTERS = "│┃|>-*`'\"#"
"""First characters of quotes, lists, tables and headings."""
_RULER = compile_late(r"[\u2500-\u257f\u2580-\u259f\s]+\Z")
_SPINNER = compile_late(rf"\s*[\u2801-\u28ff]\s+(?:\S.*\Z|{INTERRUPTIBLE})")
_TOP = compile_late(r"\s*[╭┌┏╔][─━═\-]{2,}.*\Z")
_BOTTOM = compile_late(r"\s*[╰└┗╚][─━═\-]{2,}.*\Z")
_SIDE = compile_late(r"\s*[│┃║|].*\Z")
_MAX_BOX_ROWS = 24
_NOTICE = compile_late(r"(?:[✨⚠⬆!]\s*)?(?:(?P<who>[\w ]{1,30}) )?update available(?P<rest>\b.*)\Z", re.IGNORECASE)
_VERSION = compile_late(r"\d+\.\d+")
_UPDATE_HINT = compile_late(
    r"run `?\S+(?: \S+){0,6}`? to update\W*\Z|see (?:full )?release notes\b.*\Z|https?://\S+\Z", re.I
)
_MAX_HINT_LINES = 4
"""Number of hint lines that an agent keeps below its input line."""
_RIGHT_HINT_COLUMN = 40
"""Columns of indentation of a hint at the right edge."""


def squeeze(text: str) -> str:
    """Return the text without white space: terminals wrap and indent lines anywhere."""
    return "".join(text.split())


class Layout(Struct, frozen=True, kw_only=True):
    """Signs of an agent's screen beyond those of any terminal program; an empty pattern matches nothing."""

    input_glyphs: str = ""
    """First characters of a current or former input line."""
    reply_glyphs: str = ""
    """First characters of the agent's own lines (replies, results of tools)."""
    below_spinner: str = ""
    """First characters of the line that explains the spinner above it."""
    spinner: str = ""
    """Pattern of a line that reports current work and disappears with it; case is ignored."""
    furniture: str = ""
    """Pattern of a line without meaning for a reader (footers, facts of the start, durations); case is ignored."""
    counters: tuple[str, ...] = ()
    """Lower-case lines above a bare number without meaning for a reader."""

    def is_input(self, line: str) -> bool:
        """Return True for a current or former input line."""
        glyphs = re.escape(self.input_glyphs)
        return bool(glyphs) and re.match(rf"\s*(?:[│┃]\s?)?[{glyphs}](?:\s|\Z)", line) is not None

    def is_spinner(self, line: str) -> bool:
        """Return True for a line that reports current work and disappears with it."""
        return _SPINNER.match(line) is not None or _matches(self.spinner, line)

    def is_furniture(self, line: str) -> bool:
        """Return True for a line without meaning for a reader."""
        return _matches(self.furniture, line)

    def is_quoted(self, line: str) -> bool:
        """Return True for a line of quotes, lists, boxes, input or the agent's own words: not a program's message."""
        return line[:1] in _QUOTE_CHARACTERS + self.input_glyphs + self.reply_glyphs

    def strip_glyphs(self, line: str) -> str:
        """Return the line without box sides, input glyph and prompt bullets."""
        text = ANSI.sub("", line).strip()
        if text[:1] in "│┃":
            text = text[1:].rstrip("│┃").strip()
        if text[:1] in self.input_glyphs + ">$":
            text = text[1:].lstrip()
        return text

    def frame_start(self, lines: Sequence[str]) -> int:
        """Return the first row that an agent keeps redrawing at the bottom (input line, hints, spinner above).

        The number of lines if there is no such part: the output of a plain program never moves.
        """
        found = self._input_row(lines)
        if found < 0:
            return len(lines)
        start = found
        if start and is_ruler(lines[start - 1]):
            start -= 1
        while start and self._is_above_input(lines, start - 1):
            start -= 1
        return start

    def _is_above_input(self, lines: Sequence[str], row: int) -> bool:
        """Return True if this row above the frame belongs to it: empty, a hint at the right edge, the spinner."""
        line = lines[row]
        if not line.strip() or line.startswith(" " * _RIGHT_HINT_COLUMN) or self.is_spinner(line):
            return True
        explains = line.lstrip()[:1] in tuple(self.below_spinner) and line.lstrip()[1:2].isspace()
        return row > 0 and explains and self.is_spinner(lines[row - 1])

    def _input_row(self, lines: Sequence[str]) -> int:
        """Return the row of the live input line, with rulers or hints around it; -1 if there is none."""
        below = 0
        for row in range(len(lines) - 1, -1, -1):
            line = lines[row]
            above_ruled = row > 0 and is_ruler(lines[row - 1])
            is_shell_input = line[:1] == ">" and above_ruled and row + 1 < len(lines) and is_ruler(lines[row + 1])
            if self.is_input(line) or is_shell_input:
                return row if above_ruled or self._has_hints(line, lines[row + 1 :]) else -1
            below += bool(line.strip())
            if below > _MAX_HINT_LINES:
                return -1
        return -1

    def _has_hints(self, line: str, below: Sequence[str]) -> bool:
        """Return True for an input line at the left edge without rulers, above an empty line and indented hints."""
        kept = [hint for hint in below if hint.strip()]
        at_edge = line[:1] in tuple(self.input_glyphs)
        return at_edge and bool(kept) and not below[0].strip() and all(hint.startswith("  ") for hint in kept)


def merge(layouts: Iterable[Layout]) -> Layout:
    """Return the signs of several layouts together."""
    every = list(layouts)
    if len(every) == 1:
        return every[0]
    return Layout(
        input_glyphs=_join_glyphs(layout.input_glyphs for layout in every),
        reply_glyphs=_join_glyphs(layout.reply_glyphs for layout in every),
        below_spinner=_join_glyphs(layout.below_spinner for layout in every),
        spinner="|".join(layout.spinner for layout in every if layout.spinner),
        furniture="|".join(layout.furniture for layout in every if layout.furniture),
        counters=tuple(dict.fromkeys(counter for layout in every for counter in layout.counters)),
    )


def _join_glyphs(parts: Iterable[str]) -> str:
    return "".join(dict.fromkeys("".join(parts)))


def _matches(pattern: str, line: str) -> bool:
    return bool(pattern) and re.match(pattern, line, re.IGNORECASE) is not None


def is_mark(line: str) -> bool:
    """Return True for a line of the supervisor."""
    return line.lstrip().startswith(MARKS)


def is_ruler(line: str) -> bool:
    """Return True for a line of box and block characters only."""
    return bool(line.strip()) and _RULER.match(line) is not None


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


def update_notice_end(lines: Sequence[str], row: int, program: str) -> int:
    """Return the row after the announcement of a program's update and its hints; the row itself if there is none."""
    found = _NOTICE.match(lines[row].strip())
    if found is None or not (program in lines[row].lower() or _VERSION.search(found["rest"])):
        return row
    end = row + 1
    while end < len(lines) and _UPDATE_HINT.match(lines[end].strip()):
        end += 1
    return end


def welcome_end(lines: Sequence[str], row: int, program: str, facts: Sequence[str]) -> int:
    """Return the row after the welcome box, which names the program and one of the facts; else the row itself."""
    end = box_end(lines, row)
    text = "\n".join(lines[row:end]).lower()
    return end if program in text and any(fact in text for fact in facts) else row
