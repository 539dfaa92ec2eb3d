"""Terminal interface of the agent: scrolling output above a status line, a dialog and the prompt box."""

from __future__ import annotations

import os
import select
import sys
import termios
import time

from .keyboard import Keyboard
from .turn import UserInterrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ESCAPE_SECONDS = 0.05
_BUSY = {"thinking": "Thinking", "streaming": "Writing", "tool": "Running a tool", "retrying": "Retrying"}
_FOOTER_IDLE = "  ready · Enter sends · /clear · /exit"
_FOOTER_BUSY = "  working · esc to interrupt"
_FOOTER_DIALOG = "  waiting · number or Enter chooses · esc to cancel"


class Hangup(Exception):
    """The terminal has been closed."""


class Terminal:
    """A terminal in raw mode; `queue` holds submitted prompts that have not been taken yet."""

    def __init__(self, name: str, *, alternate: bool) -> None:
        self.queue: list[str] = []
        self.box = ""
        self._keyboard = Keyboard()
        self._last_input_at = 0.0
        self._ignore_input_until = 0.0
        self._name = name
        self._state = "starting"
        self._since = time.monotonic()
        self._partial = ""
        self._rows = 0
        self._leaving = False
        self._dialog: tuple[str, str, list[str]] | None = None
        self._choice = 0
        self._picked = -1
        self._own_title = False
        self._before: list[Any] = termios.tcgetattr(0)
        self._alternate = alternate
        self.on_queue: Callable[[str], None] = lambda text: None

    def __enter__(self) -> Terminal:
        mode = termios.tcgetattr(0)
        mode[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON | termios.ISTRIP)
        mode[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(0, termios.TCSANOW, mode)  # keeps what was typed ahead
        self._write(("\x1b[?1049h\x1b[H" if self._alternate else "") + "\x1b[?2004h")
        return self

    def __exit__(self, *problem: object) -> None:
        try:
            self._write(self._erase() + "\x1b[?2004l" + ("\x1b[?1049l" if self._alternate else "") + "\x1b]2;\x07")
            termios.tcsetattr(0, termios.TCSANOW, self._before)
        except (OSError, termios.error):
            pass

    @property
    def queued(self) -> int:
        return len(self.queue)

    # -- output ------------------------------------------------------------------------------------------------

    def print(self, text: str) -> None:
        self._write(self._erase() + text.replace("\n", "\r\n") + "\r\n" + self._render_live())

    def show_partial(self, text: str) -> None:
        self._partial = text
        self.redraw()

    def set_title(self, text: str) -> None:
        self._own_title = True
        self._write(f"\x1b]2;{text}\x07")

    def ignore_input(self, seconds: float) -> None:
        self._ignore_input_until = time.monotonic() + seconds

    def show_state(self, state: str) -> None:
        if state != self._state:
            self._state, self._since = state, time.monotonic()
            if not self._own_title:
                self._write(f"\x1b]2;{self._name}: {state}\x07")
        self.redraw()

    def redraw(self) -> None:
        self._write(self._erase() + self._render_live())

    def _erase(self) -> str:
        up = f"\x1b[{self._rows - 1}A" if self._rows > 1 else ""
        self._rows = 0
        return f"\r{up}\x1b[J"

    def _render_live(self) -> str:
        width = _terminal_width()
        rows = []
        if self._partial:
            rows.append(self._partial[-(width - 1) :])
        if self._dialog:
            rows += self._dialog_rows()
        else:
            if self._state in _BUSY:
                seconds = int(time.monotonic() - self._since)
                rows.append(f"✻ {_BUSY[self._state]}… ({seconds}s · esc to interrupt)")
            if self.queue:
                rows.append(f"  {len(self.queue)} queued")
            rows += ["─" * (width - 1), "❯ " + self._render_box(), "─" * (width - 1)]
            busy = self._state in _BUSY
            rows.append("  press C-c again to leave" if self._leaving else _FOOTER_BUSY if busy else _FOOTER_IDLE)
        rows = [_truncate_row(row, width - 1) for row in rows]
        self._rows = len(rows)
        return "\r\n".join(rows)

    def _dialog_rows(self) -> list[str]:
        title, detail, choices = self._dialog or ("", "", [])
        rows = ["", " " + title]
        if detail:
            rows += ["", *("   " + line for line in detail.split("\n")[:10])]
        rows.append("")
        for index, choice in enumerate(choices):
            rows.append(f" {'❯' if index == self._choice else ' '} {index + 1}. {choice}")
        return [*rows, "", _FOOTER_DIALOG]

    def _render_box(self) -> str:
        if len(self.box) > 400 or "\n" in self.box:
            return f"[{len(self.box)} characters, {self.box.count(chr(10)) + 1} lines]"
        return self.box

    def _write(self, text: str) -> None:
        data = memoryview(text.encode("utf-8", "replace"))
        while data:
            data = data[os.write(1, data) :]

    # -- input -------------------------------------------------------------------------------------------------

    def pump(self, seconds: float, handle: int = -1) -> bool:
        """Process keys for the given time; return True once `handle` is readable. Raise Interrupted, Hangup."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            ready = self._read_input(max(0.0, min(left, 1.0)), handle)
            if handle >= 0 and ready:
                return True
            if time.monotonic() >= end:
                return False

    def _read_input(self, seconds: float, handle: int = -1) -> bool:
        watched = [0, handle] if handle >= 0 else [0]
        wait = min(seconds, _ESCAPE_SECONDS) if self._keyboard.has_pending else seconds
        ready, _, _ = select.select(watched, [], [], wait)
        if 0 in ready:
            data = os.read(0, 1 << 16)
            if not data:
                raise Hangup
            self._handle_events(self._keyboard.feed(data))
            self._last_input_at = time.monotonic()
        elif self._keyboard.has_pending and not ready and time.monotonic() - self._last_input_at >= _ESCAPE_SECONDS:
            self._handle_events(self._keyboard.flush())
        elif not ready and self._state in _BUSY and seconds >= 0.5:
            self.redraw()
        return handle in ready

    def wait_for_prompt(self) -> str:
        """Return the next submitted prompt."""
        while not self.queue:
            self._read_input(60.0)
        return self.queue.pop(0)

    def choose(self, title: str, detail: str, choices: list[str], handle: int = -1) -> int:
        """Return the index of the user's choice, -1 if `handle` is readable before. Raise UserInterrupt on Escape."""
        self._dialog, self._choice, self._picked = (title, detail, choices), 0, -1
        self.show_state("waiting")
        try:
            while self._picked < 0:
                if self._read_input(60.0, handle) and self._picked < 0:
                    return -1
        finally:
            self._dialog = None
            self.redraw()
        self.print(f"  {title} {choices[self._picked]}")
        return self._picked

    def _handle_events(self, events: list[tuple[str, str]]) -> None:
        if time.monotonic() < self._ignore_input_until:
            return
        for kind, value in events:
            if self._dialog and self._picked < 0:
                self._handle_dialog_event(kind, value)
            elif kind == "key":
                self._handle_key(value)
            else:
                self.box += value
                self._leaving = False
        if events:
            self.redraw()

    def _handle_dialog_event(self, kind: str, value: str) -> None:
        _, _, choices = self._dialog or ("", "", [])
        if kind == "text" and value[:1].isdigit() and 0 < int(value[0]) <= len(choices):
            self._picked = int(value[0]) - 1
        elif kind == "key" and value in ("up", "down"):
            self._choice = (self._choice + (1 if value == "down" else -1)) % len(choices)
        elif kind == "key" and value == "enter":
            self._picked = self._choice
        elif kind == "key" and value in ("escape", "C-c"):
            raise UserInterrupt

    def _handle_key(self, name: str) -> None:
        busy = self._state in _BUSY
        leaving, self._leaving = self._leaving, False
        if name == "enter":
            self._submit()
        elif name == "newline":
            self.box += "\n"
        elif name == "backspace":
            self.box = self.box[:-1]
        elif name == "C-u":
            self.box = ""
        elif name in ("escape", "C-c") and busy:
            raise UserInterrupt
        elif name == "C-c" and self.box:
            self.box = ""
        elif name == "C-c" and not leaving:
            self._leaving = True
        elif name in ("C-c", "C-d") and not self.box:
            self.queue.append("/exit")

    def _submit(self) -> None:
        text, self.box = self.box, ""
        if text.strip():
            self.queue.append(text)
            self.on_queue(text)


def _terminal_width() -> int:
    try:
        return max(20, os.get_terminal_size(1).columns)
    except OSError:
        return 80


def _truncate_row(row: str, width: int) -> str:
    """Cut to the width; other than Latin letters count as two columns, so that a row never wraps."""
    if len(row) * 2 < width:
        return row
    used = 0
    for index, char in enumerate(row):
        used += 2 if ord(char) > 0x2E80 else 1
        if used > width:
            return row[:index]
    return row


def is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
