"""Parse and match `--until-jsonpath`: `$.signals.heartbeatFresh`, `sessionState=waiting_input`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct


class JsonPath(Struct, frozen=True):
    """A parsed expression."""

    segments: tuple[str, ...]
    expected: str | None = None
    """Text to compare the value with; None: the value must be true."""

    def matches(self, value: Any) -> bool:
        """Return True if the expression holds for a value made of dicts, lists and scalars."""
        for segment in self.segments:
            if not isinstance(value, dict) or segment not in value:
                return False
            value = value[segment]
        return _is_truthy(value) if self.expected is None else _equals(value, self.expected)


def parse(expression: str) -> JsonPath:
    """Parse an expression. Raise ValueError with the reason."""
    text = expression.strip()
    if not text:
        raise ValueError("expression cannot be empty")
    path, equals, expected = text.partition("=")
    if equals and not expected.strip():
        raise ValueError("expected value after '='")
    bare = path.strip().removeprefix("$").removeprefix(".").strip()
    if not bare:
        raise ValueError("jsonpath must contain a field path")
    segments = tuple(segment.strip() for segment in bare.split("."))
    if not all(segments):
        raise ValueError(f'invalid jsonpath segment in "{expression}"')
    return JsonPath(segments, expected.strip() if equals else None)


def _is_truthy(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else bool(value)


def _equals(value: Any, expected: str) -> bool:
    if isinstance(value, bool):
        return expected.lower() == ("true" if value else "false")
    if isinstance(value, int | float):
        try:
            return float(expected) == value
        except ValueError:
            return False
    if isinstance(value, str):
        return value == expected.strip("\"'")
    return msgspec.json.encode(value).decode() == expected
