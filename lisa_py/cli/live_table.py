"""Live table on the terminal: rows redrawn in place below permanent lines."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from lisa_py.core.context import LiveDisplay

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


class LiveTable(LiveDisplay):
    """Write to standard output; without a terminal, lines are written plainly and rows are omitted."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.columns = _terminal_width() if self._terminal else 0
        self._rows: tuple[str, ...] = ()

    def write_line(self, line: str) -> None:
        self._write(self._erase() + line + "\n" + self._render_rows())

    def show_rows(self, rows: Sequence[str]) -> None:
        if not self._terminal:
            return
        self.columns = _terminal_width()
        erase, self._rows = self._erase(), tuple(truncate_row(row, self.columns - 1) for row in rows)
        self._write(erase + self._render_rows())

    def _erase(self) -> str:
        return f"\x1b[{len(self._rows)}A\x1b[J" if self._rows else ""

    def _render_rows(self) -> str:
        return "".join(row + "\n" for row in self._rows)

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def truncate_row(row: str, width: int) -> str:
    """Cut a row to the given number of columns; colours have no width, wide characters have two."""
    used, out, at = 0, [], 0
    while at < len(row):
        style = _STYLE.match(row, at)
        if style:
            out.append(style[0])
            at = style.end()
            continue
        used += 2 if ord(row[at]) > 0x2E7F else 1
        if used > width:
            return "".join(out) + "\x1b[0m" * ("\x1b" in row)
        out.append(row[at])
        at += 1
    return "".join(out)


def _terminal_width() -> int:
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80
