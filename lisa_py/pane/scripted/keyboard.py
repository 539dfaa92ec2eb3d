"""Parse bytes of a terminal in raw mode into keys, typed text and pasted text."""

from __future__ import annotations

PASTE_BEGIN = b"\x1b[200~"
PASTE_END = b"\x1b[201~"
_KEYS = {
    0x03: "C-c",
    0x04: "C-d",
    0x08: "backspace",
    0x09: "tab",
    0x0A: "newline",
    0x0D: "enter",
    0x15: "C-u",
    0x7F: "backspace",
}
_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}


class Keyboard:
    """Parser of input bytes into (kind, value) with kind key, text or paste."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._pasting = False
        self._searched = 0

    @property
    def has_pending(self) -> bool:
        """Return True if held-back bytes need more bytes, or a pause, to be parsed."""
        return bool(self._buffer) and not self._pasting

    def feed(self, data: bytes) -> list[tuple[str, str]]:
        self._buffer += data
        events: list[tuple[str, str]] = []
        while self._buffer:
            event = self._paste() if self._pasting else self._next()
            if event is None:
                break
            if event[0]:
                events.append(event)
        return events

    def flush(self) -> list[tuple[str, str]]:
        """Parse the held-back bytes after a pause: a single Escape is the key."""
        lone = bytes(self._buffer)
        self._buffer.clear()
        if lone[:1] == b"\x1b":
            return [("key", "escape")]
        return [("text", lone.decode("utf-8", "replace"))] if lone else []

    def _paste(self) -> tuple[str, str] | None:
        end = self._buffer.find(PASTE_END, self._searched)
        if end < 0:
            self._searched = max(0, len(self._buffer) - len(PASTE_END))
            return None
        text = self._buffer[:end].decode("utf-8", "replace")
        del self._buffer[: end + len(PASTE_END)]
        self._pasting, self._searched = False, 0
        return "paste", text.replace("\r\n", "\n").replace("\r", "\n")

    def _next(self) -> tuple[str, str] | None:
        first = self._buffer[0]
        if first == 0x1B:
            return self._escape()
        if first < 0x20 or first == 0x7F:
            del self._buffer[0]
            return "key", _KEYS.get(first, f"C-{chr(first + 96)}")
        return self._text()

    def _text(self) -> tuple[str, str] | None:
        end = next((at for at, byte in enumerate(self._buffer) if byte < 0x20 or byte == 0x7F), len(self._buffer))
        if end == len(self._buffer):
            end -= _count_unfinished(self._buffer)
            if not end:
                return None
        text = self._buffer[:end].decode("utf-8", "replace")
        del self._buffer[:end]
        return "text", text

    def _escape(self) -> tuple[str, str] | None:
        buffer = self._buffer
        if buffer.startswith(PASTE_BEGIN):
            del buffer[: len(PASTE_BEGIN)]
            self._pasting = True
            return "", ""
        if len(buffer) == 1 or (chr(buffer[1]) in "[O" and len(buffer) == 2):
            return None
        if chr(buffer[1]) in "[O":
            end = next((at for at in range(2, len(buffer)) if 0x40 <= buffer[at] <= 0x7E), -1)
            if end < 0:
                return None
            name = _ARROWS.get(chr(buffer[end]), "")
            del buffer[: end + 1]
            return ("key", name) if name else ("", "")
        if buffer[1] == 0x1B:
            del buffer[0]
            return "key", "escape"
        del buffer[:2]  # Alt and a letter
        return "", ""


def _count_unfinished(data: bytearray) -> int:
    """Return the number of bytes at the end that begin an incomplete character."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        need = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return back if need > back else 0
    return 0
