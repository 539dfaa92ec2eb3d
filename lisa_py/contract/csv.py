"""Format one line of comma-separated fields, quoted by RFC 4180."""

from __future__ import annotations

from collections.abc import Iterable


def format_line(values: Iterable[object]) -> str:
    """Join the fields with commas; booleans are lower case."""
    return ",".join(_quote_field(_format_value(value)) for value in values)


def _format_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quote_field(text: str) -> str:
    if text[:1] == " " or any(char in text for char in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
