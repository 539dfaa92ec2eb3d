"""Records of the Program Status Protocol (OSC 7501), revision 0.4."""

from __future__ import annotations

import base64
import re

from msgspec import Struct

from lisa_py.contract import digests
from lisa_py.contract.program_status import BlockedKind, ProgramStatus
from lisa_py.terminal.frame_lines import clean
from lisa_py.terminal.notification import wrap_for_tmux

TITLE_BYTES = 192
MESSAGE_BYTES = 2048
MOST_RECORDS = 256
"""Records that a terminal keeps of one program."""
_WORD_LENGTH = 32
_FOREIGN = re.compile(r"[^A-Za-z0-9_.+-]")
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class ProgramRecord(Struct, frozen=True, kw_only=True):
    """The state of one program, or of one of its parts."""

    status: ProgramStatus
    """unknown removes the record."""
    record_id: str = ""
    """Words of `make_word`, separated by `/`; empty: the program itself."""
    kind: BlockedKind | None = None
    app: str = ""
    title: str = ""
    message: str = ""


def make_word(text: str) -> str:
    """Return a text as a word of an id: the same for the same text, at most 32 characters."""
    word = _FOREIGN.sub("_", text)
    if word == text and 0 < len(text) <= _WORD_LENGTH:
        return text
    mark = digests.sha256(text.encode(errors="replace")).hexdigest()[:8]
    return f"{word[: _WORD_LENGTH - 9]}-{mark}"


def build_sequence(record: ProgramRecord, *, in_tmux: bool) -> str:
    """Return the characters that report a record; inside tmux they are wrapped for the terminal around it."""
    pairs = [f"state={'clear' if record.status == 'unknown' else record.status}"]
    if record.record_id:
        pairs.append(f"id={record.record_id}")
    if record.status != "unknown":
        if record.status == "blocked" and record.kind is not None:
            pairs.append(f"kind={record.kind}")
        if record.app:
            pairs.append(f"app={make_word(record.app)}")
        pairs += [
            f"{key}={encoded}"
            for key, text, most in (("title", record.title, TITLE_BYTES), ("msg", record.message, MESSAGE_BYTES))
            if (encoded := _encode(text, most))
        ]
    sequence = f"\x1b]7501;{':'.join(pairs)}\x1b\\"
    return wrap_for_tmux(sequence) if in_tmux else sequence


def _encode(text: str, most: int) -> str:
    line = " ".join(_INVISIBLE.sub(" ", clean(text)).split())
    cut = line.encode()[:most].decode(errors="ignore")  # no half character at the end
    return base64.b64encode(cut.encode()).decode()
