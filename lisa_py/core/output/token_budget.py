"""Fit a text into a token budget: the newest part stays, characters and lines are kept whole if possible."""

from __future__ import annotations

import unicodedata

BYTES_PER_TOKEN = 4
ELLIPSIS = "..."
_JOINERS = "\u200d\ufe0e\ufe0f"
"""Zero-width joiner and variation selectors: they belong to the preceding character."""


def count_tokens(raw: bytes) -> int:
    """Return the estimated number of tokens, rounded up."""
    return -(-len(raw) // BYTES_PER_TOKEN)


def fit(text: str, tokens: int) -> tuple[str, bool]:
    """Return the text, or its end after `...` if longer than `tokens` times four bytes; and True if it was cut."""
    if tokens <= 0:
        return "", False
    return keep_newest(text, tokens * BYTES_PER_TOKEN)


def keep_newest(text: str, max_bytes: int) -> tuple[str, bool]:
    """Return at most `max_bytes` of the text, from its end, and True if it was cut."""
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= max_bytes:
        return text, False
    if max_bytes <= len(ELLIPSIS):
        return decode_tail(raw, max_bytes), True
    tail = decode_tail(raw, max_bytes - len(ELLIPSIS))
    return ELLIPSIS + _drop_torn_line(tail, raw, max_bytes - len(ELLIPSIS)), True


def decode_tail(raw: bytes, max_bytes: int) -> str:
    """Return the last whole characters that fit into `max_bytes`."""
    start = max(0, len(raw) - max_bytes)
    while start < len(raw) and raw[start] & 0xC0 == 0x80:
        start += 1
    text = raw[start:].decode("utf-8", "replace")
    while text and start and (text[0] in _JOINERS or unicodedata.combining(text[0])):
        text = text[1:]
    return text


def _drop_torn_line(tail: str, raw: bytes, max_bytes: int) -> str:
    """Drop the partial first line, unless that costs more than half of the budget."""
    at_start = raw[len(raw) - len(tail.encode("utf-8", "surrogatepass")) - 1 :][:1] == b"\n"
    end = tail.find("\n")
    if at_start or end < 0 or len(tail[: end + 1].encode("utf-8", "surrogatepass")) > max_bytes // 2:
        return tail
    return tail[end + 1 :]
