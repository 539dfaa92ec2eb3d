"""Live table on the terminal: rows redrawn in place below permanent lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from lisa_py.cli import render
from lisa_py.core.context import LiveDisplay
from lisa_py.terminal import table


class LiveTable(LiveDisplay):
    """Write to standard output; without a terminal, lines are written plainly and rows are omitted."""

    def __init__(self) -> None:
        self.screen = render.read_screen() if os.environ.get("TERM", "dumb") != "dumb" else None
        self.error_colors = render.has_colors(sys.stderr)
        self._rows: tuple[str, ...] = ()

    def write_line(self, line: str, end: str = "\n") -> None:
        self._write(self._erase() + line + end + self._render_rows())

    def write_error(self, line: str) -> None:
        sys.stdout.flush()
        print(line, file=sys.stderr, flush=True)

    def show_rows(self, rows: Sequence[str]) -> None:
        self.screen = self.screen and render.read_screen()
        if self.screen is None:
            return
        width = self.screen.columns - 1
        erase, self._rows = self._erase(), tuple(table.truncate_row(row, width) for row in rows)
        self._write(erase + self._render_rows())

    def _erase(self) -> str:
        return f"\x1b[{len(self._rows)}A\x1b[J" if self._rows else ""

    def _render_rows(self) -> str:
        return "".join(row + "\n" for row in self._rows)

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
