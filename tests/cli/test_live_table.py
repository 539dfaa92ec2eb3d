"""The live table: rows redrawn in place on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

SCRIPT = """
from lisa_py.cli.live_table import LiveTable
table = LiveTable()
table.show_rows(["one", "two"])
table.write_line("a line that stays")
table.show_rows(["three"])
print(table.screen)
"""


def test_piped_output_has_only_lines() -> None:
    ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert ended.stdout == "a line that stays\nNone\n"


def test_terminal_rows_are_redrawn_below_lines() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=theirs, env={**os.environ, "TERM": "xterm-256color"}
    )
    assert process.wait(timeout=20) == 0
    os.close(theirs)
    shown = os.read(ours, 65536).decode().replace("\r\n", "\n")
    os.close(ours)
    end, up, rest = "\x1b[K\n", "\x1b[2A\r", "\x1b[J"
    rows = f"one{end}two{end}{rest}"
    assert shown.startswith(f"{rows}{up}a line that stays{end}{rows}{up}three{end}{rest}")
