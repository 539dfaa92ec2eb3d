"""One line of comma-separated fields, quoted as RFC 4180 asks."""

from __future__ import annotations

from collections.abc import Iterable


def line(values: Iterable[object]) -> str:
    """The fields joined by commas; truth values are lower case."""
    return ",".join(_field(_text(value)) for value in values)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _field(text: str) -> str:
    if text[:1] == " " or any(char in text for char in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
