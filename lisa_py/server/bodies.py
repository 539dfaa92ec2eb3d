"""Read JSON bodies: limits, types, unknown keys."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError, UsageError

MAX_BYTES = 1 << 20
"""Of a body, where its route has no limit of its own."""
MAX_DEPTH = 64
_MISSING = re.compile(r"missing required field `(\w+)`")


def parse_body(raw: bytes, kind: type[Struct]) -> tuple[Any, tuple[str, ...]]:
    """Return the typed body and its keys that the type does not have; no body is an empty object.

    Raise LisaError(invalid_request) for text that is no JSON object, UsageError(validation_failed) for wrong types.
    """
    given, unknown = _clean(parse_object(raw), kind)
    try:
        body = msgspec.convert(given, kind, strict=True)
    except msgspec.ValidationError as problem:
        text, _, place = str(problem).partition(" - at `")
        field = place.rstrip("`").removeprefix("$").lstrip(".")
        missing = _MISSING.search(text)
        field = ".".join(filter(None, (field, missing[1]))) if missing else field or "body"
        raise UsageError("validation_failed", f"invalid {field}: {text}", fields=[field]) from None
    return body, tuple(sorted(unknown))


def _clean(plain: dict[str, Any], kind: type[Struct]) -> tuple[dict[str, Any], list[str]]:
    """Return the object without keys of null, which counts as absent, and its unknown keys, as `profile.x`."""
    known = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    given: dict[str, Any] = {}
    unknown: list[str] = []
    for key, value in plain.items():
        inner = known.get(key)
        if key not in known:
            unknown.append(key)
        if value is None:
            continue
        given[key] = value
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, Struct):
            given[key], below = _clean(value, inner)
            unknown += [f"{key}.{each}" for each in below]
    return given, unknown


def parse_object(raw: bytes, what: str = "body") -> dict[str, Any]:
    """Return the JSON object of a body; no body is an empty one. Raise LisaError(invalid_request)."""
    try:
        plain = jsontext.decode(raw) if raw.strip() else {}
    except msgspec.DecodeError as problem:
        raise LisaError("invalid_request", f"the {what} is not JSON: {problem}") from None
    if not isinstance(plain, dict):
        raise LisaError("invalid_request", f"the {what} is not a JSON object")
    if is_deeper(plain, MAX_DEPTH):
        raise LisaError("invalid_request", f"the {what} is nested over {MAX_DEPTH} deep")
    return plain


def is_deeper(value: Any, depth: int) -> bool:
    """Return True if objects and lists are nested deeper."""
    level = [value]
    while level and depth >= 0:
        depth -= 1
        level = [
            each
            for inner in level
            for each in (inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ())
        ]
    return bool(level)
