"""Live table on the terminal: rows redrawn in place below permanent lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from lisa_py.cli import render
from lisa_py.core.context import LiveDisplay
from lisa_py.terminal import table

_CLEAR_LINE, _CLEAR_BELOW = "\x1b[K", "\x1b[J"
"""Rows are overwritten: tmux keeps a screen that is cleared from its first row in the history (3.3a)."""


class LiveTable(LiveDisplay):
    """Write to standard output; without a terminal, lines are written plainly and rows are omitted."""

    def __init__(self) -> None:
        self.screen = render.read_screen() if os.environ.get("TERM", "dumb") != "dumb" else None
        self.error_colors = render.has_colors(sys.stderr)
        self._rows: tuple[str, ...] = ()

    def write_line(self, line: str, end: str = "\n") -> None:
        if not self._rows:
            render.write_now(line + end)
            return
        render.write_now(self._go_up() + line + _CLEAR_LINE + end + self._render_rows() + _CLEAR_BELOW)

    def write_error(self, line: str) -> None:
        render.flush()
        print(line, file=sys.stderr, flush=True)

    def show_rows(self, rows: Sequence[str]) -> None:
        self.screen = self.screen and render.read_screen()
        if self.screen is None:
            return
        width = self.screen.columns - 1
        up, self._rows = self._go_up(), tuple(table.truncate_row(row, width) for row in rows)
        render.write_now(up + self._render_rows() + _CLEAR_BELOW)

    def _go_up(self) -> str:
        return f"\x1b[{len(self._rows)}A\r" if self._rows else ""

    def _render_rows(self) -> str:
        return "".join(row + _CLEAR_LINE + "\n" for row in self._rows)
