"""Read JSON bodies: limits, types, unknown keys."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError, UsageError

MAX_BYTES = 1 << 20
MAX_DEPTH = 64


def parse_body(raw: bytes, kind: type[Struct]) -> tuple[Any, tuple[str, ...]]:
    """Return the typed body and its keys that the type does not have; no body is an empty object.

    Raise LisaError(invalid_request) for text that is no JSON object, UsageError(validation_failed) for wrong types.
    """
    plain = parse_object(raw)
    given = {key: value for key, value in plain.items() if value is not None}
    names = {field.encode_name for field in msgspec.structs.fields(kind)}
    try:
        body = msgspec.convert(given, kind, strict=True)
    except msgspec.ValidationError as problem:
        text, _, place = str(problem).partition(" - at `")
        field = place.rstrip("`").removeprefix("$").lstrip(".") or "body"
        raise UsageError("validation_failed", f"invalid {field}: {text}", fields=[field]) from None
    return body, tuple(sorted(set(given) - names))


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a body; no body is an empty one. Raise LisaError(invalid_request)."""
    try:
        plain = jsontext.decode(raw) if raw.strip() else {}
    except msgspec.DecodeError as problem:
        raise LisaError("invalid_request", f"the body is not JSON: {problem}") from None
    if not isinstance(plain, dict):
        raise LisaError("invalid_request", "the body is not a JSON object")
    if _is_deeper(plain, MAX_DEPTH):
        raise LisaError("invalid_request", f"the body is nested over {MAX_DEPTH} deep")
    return plain


def _is_deeper(value: Any, depth: int) -> bool:
    level = [value]
    while level and depth >= 0:
        depth -= 1
        level = [
            each
            for inner in level
            for each in (inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ())
        ]
    return bool(level)
