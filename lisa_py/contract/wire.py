"""Words as one line of JSON, whatever is in them."""

from __future__ import annotations

from typing import Any

import msgspec


def encoded(built: Any) -> bytes:
    """Plain values as JSON, keys sorted; what is no UTF-8 (a word of the call, a file's name) is shown as U+FFFD."""
    try:
        return msgspec.json.encode(built, order="sorted")
    except UnicodeEncodeError:
        return msgspec.json.encode(_readable(built), order="sorted")


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_readable(key): _readable(part) for key, part in value.items()}
    return [_readable(part) for part in value] if isinstance(value, list) else value
