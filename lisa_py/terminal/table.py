"""Tables and rows for a terminal: columns by display width, colours, cuts that keep the width."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.late_pattern import compile_late

_STYLE = compile_late(r"\x1b\[[0-9;]*m")
_RESET = "\x1b[0m"
_GAP = 2
_MIN_COLUMN = 6
"""Width that a column keeps when the terminal is too narrow for all."""
STATE_STYLES = {"in_progress": "36", "just_started": "90", "waiting_input": "33", "completed": "32", "killed": "90"}
"""Colours of session states."""
ALERT, BOLD, DIM = "31", "1", "2"


class Screen(Struct, frozen=True, kw_only=True):
    """Terminal that a text is written to."""

    columns: int = 80
    color: bool = False

    def paint(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}{_RESET}" if self.color and style and text else text


class TableRow(Struct, frozen=True, kw_only=True):
    """Cells of a row, with its colour and a sign before it."""

    cells: tuple[str, ...]
    style: str = ""
    mark: str = ""


def state_style(session_state: str) -> str:
    return STATE_STYLES.get(session_state, ALERT)


def char_width(char: str) -> int:
    """Return the columns of a character: two if wide, none if it combines with the one before."""
    if char.isascii():
        return 1
    import unicodedata  # noqa: PLC0415 - only for text beyond ASCII

    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def text_width(text: str) -> int:
    """Return the columns of a text; colours have none."""
    return sum(char_width(char) for char in _STYLE.sub("", text))


def truncate_row(row: str, width: int) -> str:
    """Cut a row to the given number of columns; colours have no width, wide characters have two."""
    used, out, at = 0, [], 0
    while at < len(row):
        style = _STYLE.match(row, at)
        if style:
            out.append(style[0])
            at = style.end()
            continue
        used += char_width(row[at])
        if used > width:
            return "".join(out) + _RESET * ("\x1b" in row)
        out.append(row[at])
        at += 1
    return "".join(out)


def format_table(
    headings: Sequence[str], rows: Sequence[TableRow], screen: Screen, *, widths: Sequence[int] = ()
) -> list[str]:
    """Return the lines of a table that fits the screen; `widths` are minimum widths, for tables that are redrawn."""
    cells = [tuple(clean(cell) for cell in row.cells) for row in rows]
    natural = [max(map(text_width, column), default=0) for column in zip(headings, *cells, strict=True)]
    wanted = [max(pair) for pair in zip(natural, [*widths, *[0] * len(natural)], strict=False)]
    margin = "  " if any(row.mark for row in rows) else ""
    fitted = _fit_columns(wanted, screen.columns - len(margin))
    lines = [screen.paint(BOLD, margin + _format_cells(headings, fitted))]
    for row, words in zip(rows, cells, strict=True):
        lines.append(screen.paint(row.style, f"{row.mark:<{len(margin)}}{_format_cells(words, fitted)}"))
    return lines


def clean(cell: str) -> str:
    """Return the text on one line, without control characters; its indentation stays."""
    shown = "".join(char if char.isprintable() else " " for char in cell)
    return " " * (len(shown) - len(shown.lstrip())) + " ".join(shown.split())


def _fit_columns(wanted: Sequence[int], available: int) -> list[int]:
    """Shrink the last column, then the widest of the others; the first one, a name, at the end."""
    fitted = list(wanted)
    last = len(fitted) - 1
    for _ in range(sum(fitted) + _GAP * last - available):
        index = last
        if fitted[last] <= 2 * _MIN_COLUMN:
            index = max(range(1, len(fitted)), key=fitted.__getitem__, default=0)
        if fitted[index] <= _MIN_COLUMN:
            index = 0
        if fitted[index] <= _MIN_COLUMN:
            break
        fitted[index] -= 1
    return fitted


def _format_cells(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = []
    for cell, width in zip(cells, widths, strict=True):
        shown = cell if text_width(cell) <= width else truncate_row(cell, width - 1) + "…"
        padded.append(shown + " " * (width - text_width(shown)))
    return (" " * _GAP).join(padded).rstrip()


def format_age(seconds: float) -> str:
    """Return a duration in one or two units; empty if unknown (negative)."""
    if seconds < 0:
        return ""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"
