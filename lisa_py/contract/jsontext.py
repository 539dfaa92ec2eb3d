"""JSON of any origin is read here: whatever is wrong with it, also bad bytes and endless nesting, is one error."""

from __future__ import annotations

from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")


@overload
def decode(text: bytes | str) -> Any: ...
@overload
def decode(text: bytes | str, kind: type[T]) -> T: ...
def decode(text: bytes | str, kind: Any = Any) -> Any:
    """The value. Raises msgspec.DecodeError, and nothing else, for all that is no JSON of this kind.

    msgspec itself raises UnicodeError for a string that is not UTF-8 and RecursionError for brackets without end.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except UnicodeError as problem:
        raise msgspec.DecodeError(f"a string in it is not UTF-8 ({problem.__class__.__name__})") from problem
    except RecursionError as problem:
        raise msgspec.DecodeError("it is nested too deeply") from problem
