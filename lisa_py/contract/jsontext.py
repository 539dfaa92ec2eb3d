"""Read JSON of any origin: every defect, including bad bytes and endless nesting, is one error."""

from __future__ import annotations

from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")


@overload
def decode(text: bytes | str) -> Any: ...
@overload
def decode(text: bytes | str, kind: type[T]) -> T: ...
def decode(text: bytes | str, kind: Any = Any) -> Any:
    """Decode a JSON value. Raise msgspec.DecodeError for everything that is not JSON of this type.

    msgspec itself raises UnicodeError for a string that is not UTF-8 and RecursionError for endless brackets.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except UnicodeError as problem:
        raise msgspec.DecodeError(f"a string is not UTF-8 ({problem.__class__.__name__})") from problem
    except RecursionError as problem:
        raise msgspec.DecodeError("nested too deeply") from problem
