"""Position of a reader of the conversation, and its opaque text form."""

from __future__ import annotations

from zlib import crc32

from msgspec import Struct

from lisa_py.contract.errors import LisaError

START = "start"
"""Cursor of the beginning of everything."""
_FORMS = {"t": 4, "p": 2}


class LivePosition(Struct, frozen=True, kw_only=True):
    """A place in a transcript, or in the output of a pane; valid across restarts, the same for every reader."""

    source: str = ""
    """Digest of the path of the transcript; empty for a pane."""
    offset: int = 0
    """Bytes that precede the record (transcript), or the output (pane)."""
    skip: int = 0
    """Frames of the record that precede the position."""

    def encode(self) -> str:
        return f"t.{self.source}.{self.offset}.{self.skip}" if self.source else f"p.{self.offset}"


def parse_cursor(text: str) -> LivePosition:
    """Return the position of a cursor. Raise LisaError(invalid_cursor)."""
    if text == START:
        return LivePosition()
    parts = text.strip().split(".")
    form = parts[0] if parts else ""
    numbers = parts[2:] if form == "t" else parts[1:]
    if len(parts) != _FORMS.get(form) or not all(part.isascii() and part.isdigit() for part in numbers):
        raise LisaError("invalid_cursor", f"invalid cursor: {text} (expected the `cursor` of a frame, or `{START}`)")
    if form == "p":
        return LivePosition(offset=int(parts[1]))
    return LivePosition(source=parts[1], offset=int(parts[2]), skip=int(parts[3]))


def name_transcript(path: str) -> str:
    """Return the digest of a transcript's path."""
    return f"{crc32(path.encode('utf-8', 'surrogateescape')):08x}"
