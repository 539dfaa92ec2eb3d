"""Words as one line of JSON, whatever is in them."""

from __future__ import annotations

from typing import Any

import msgspec


def encode(value: Any) -> bytes:
    """Plain values as JSON, keys sorted; what is no UTF-8 (a word of the call, a file's name) is shown as U+FFFD."""
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
