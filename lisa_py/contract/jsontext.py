"""Decode and encode JSON: msgspec for typed values, orjson for plain ones."""

from __future__ import annotations

from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")


@overload
def decode(text: bytes | str) -> Any: ...
@overload
def decode(text: bytes | str, kind: type[T]) -> T: ...
def decode(text: bytes | str, kind: Any = Any) -> Any:
    """Return the decoded value, of the given type if one is given.

    Raises msgspec.DecodeError, and nothing else, for text that is not JSON of this type. Commands that start in
    milliseconds name a type: the plain form loads orjson.
    """
    if kind is Any:
        return _decode_plain(text)
    try:
        return msgspec.json.decode(text, type=kind)
    except UnicodeError as problem:
        raise msgspec.DecodeError(f"a string is not UTF-8 ({problem.__class__.__name__})") from problem
    except RecursionError as problem:
        raise msgspec.DecodeError("nested too deeply") from problem


def _decode_plain(text: bytes | str) -> Any:
    import orjson  # noqa: PLC0415 - 14 ms

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as problem:
        raise msgspec.DecodeError(str(problem)) from problem


def encode(value: Any) -> bytes:
    """Return one line of JSON with sorted keys; text that is not UTF-8 (a file name) is shown as U+FFFD."""
    plain = msgspec.to_builtins(value)
    try:
        return msgspec.json.encode(plain, order="sorted")
    except UnicodeEncodeError:
        return msgspec.json.encode(replace_surrogates(plain), order="sorted")


def encode_event(value: Any) -> bytes:
    """Return the same line as `encode`, for streams: loading orjson pays from the second line on."""
    import orjson  # noqa: PLC0415 - 14 ms

    try:
        return orjson.dumps(msgspec.to_builtins(value), option=orjson.OPT_SORT_KEYS)
    except TypeError:  # half a surrogate pair, an integer of more than 64 bits
        return encode(value)


def encode_document(value: Any) -> bytes:
    """Return indented JSON with a final newline, for files that people open."""
    import orjson  # noqa: PLC0415 - 14 ms

    plain = msgspec.to_builtins(value)
    try:
        return orjson.dumps(plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return msgspec.json.format(msgspec.json.encode(replace_surrogates(plain)), indent=2) + b"\n"


def encode_exact(value: Any, *, indent: int = 0) -> str:
    """Return JSON for other programs, in which half a surrogate pair (a file name) stays what it is, as an escape."""
    try:
        raw = msgspec.json.encode(value)
    except UnicodeEncodeError:
        import json  # noqa: PLC0415 - a millisecond, for what msgspec cannot encode

        return json.dumps(value, indent=indent or None)
    return (msgspec.json.format(raw, indent=indent) if indent else raw).decode()


def replace_surrogates(value: Any) -> Any:
    """Return the value with U+FFFD for each character that is no Unicode, also in its parts."""
    if isinstance(value, str):
        return value.encode("utf-32", "surrogatepass").decode("utf-32", "replace")
    if isinstance(value, dict):
        return {replace_surrogates(key): replace_surrogates(part) for key, part in value.items()}
    return [replace_surrogates(part) for part in value] if isinstance(value, (list, tuple)) else value
