"""Encode values as one line of JSON, whatever they contain."""

from __future__ import annotations

from typing import Any

import msgspec


def encode(value: Any) -> bytes:
    """Encode plain values as JSON with sorted keys; invalid UTF-8 (an argument, a file name) becomes U+FFFD."""
    try:
        return msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError:
        return msgspec.json.encode(_replace_surrogates(value), order="sorted")


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_replace_surrogates(key): _replace_surrogates(part) for key, part in value.items()}
    return [_replace_surrogates(part) for part in value] if isinstance(value, list) else value
