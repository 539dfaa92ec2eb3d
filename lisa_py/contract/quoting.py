"""Quote words for a shell, and find flags among them."""

from __future__ import annotations

import re
from collections.abc import Collection

from lisa_py.contract.late_pattern import compile_late

POSIX_SAFE = compile_late(r"[^\x00-\x1f\x7f]*\Z")
_ANSI_ESCAPES = {
    "\\": "\\\\",
    "'": "\\'",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def quote(text: str) -> str:
    """Quote for the shell by the contract: single quotes, or ANSI-C quotes for control characters."""
    if not text:
        return "''"
    if POSIX_SAFE.match(text):
        return "'" + text.replace("'", "'\"'\"'") + "'"
    return (
        "$'"
        + "".join(
            _ANSI_ESCAPES.get(char) or (char if " " <= char != "\x7f" else f"\\x{ord(char):02x}") for char in text
        )
        + "'"
    )


def quote_posix(text: str) -> str:
    """Quote for any POSIX sh, byte for byte, including newlines (NUL cannot be in argv)."""
    return "'" + text.replace("\0", "").replace("'", "'\"'\"'") + "'"


def split_arguments(text: str) -> list[str]:
    """Return the words of raw arguments, quotes included."""
    return text.split()


_RAW_WORD = compile_late(r"""(?:[^\s'"\\]|\\.|'[^']*'|"(?:\\.|[^"\\])*"|['"\\])+""", re.DOTALL)


def drop_words(text: str, valued: Collection[str], plain: Collection[str] = ()) -> str:
    """Return raw arguments without these words: `valued` ones go with the value after them, unless that is a flag."""
    kept, at, expects_value = [], 0, False
    for found in _RAW_WORD.finditer(text):
        word = found[0]
        name = word.partition("=")[0]
        is_value = expects_value and not word.startswith("-")
        expects_value = word in valued
        if is_value or word in plain or name in valued:
            kept.append(text[at : found.start()])
            at = found.end()
    return "".join((*kept, text[at:])).strip()


def has_flag(text: str, flag: str) -> bool:
    """Return True if raw arguments hold a flag as a separate word or as `flag=value`."""
    return any(word == flag or word.startswith(flag + "=") for word in split_arguments(text))
