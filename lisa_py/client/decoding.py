"""Turn JSON of the server into the structs of the contract; keep fields that they do not have."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct

from lisa_py.client.errors import InvalidAnswerError
from lisa_py.contract.client_answers import MessagesResult
from lisa_py.contract.live import FRAME_TYPES, LiveFrame

T = TypeVar("T")


class OtherFrame(LiveFrame, frozen=True, kw_only=True):
    """A frame of a type that this version does not know; the payload is the object as it came."""

    payload: Any


def read_extra(answer: Struct) -> dict[str, Any]:
    """Return the fields of an answer that its type does not have."""
    return dict(getattr(answer, "__dict__", {}))


def decode_answer(body: bytes, kind: type[T]) -> T:
    """Return the typed answer; an empty body is an empty object. Raise InvalidAnswerError."""
    try:
        plain = msgspec.json.decode(body) if body.strip() else {}
    except msgspec.DecodeError as problem:
        raise InvalidAnswerError(f"the answer is not JSON: {problem}") from None
    return convert(plain, kind)


def convert(plain: Any, kind: type[T]) -> T:
    """Return plain JSON values as a type. Raise InvalidAnswerError."""
    try:
        typed = msgspec.convert(plain, _open(kind))  # type: ignore[arg-type]
    except msgspec.ValidationError as problem:
        raise InvalidAnswerError(f"the answer does not fit: {problem}") from None
    _keep_extra(typed, plain)
    return typed  # type: ignore[no-any-return]


_PAYLOADS = {name: payload for payload, name in FRAME_TYPES.items()}


def convert_frame(plain: Mapping[str, Any]) -> LiveFrame:
    """Return a frame; an OtherFrame if its type or payload is not known."""
    name = str(plain.get("type", ""))
    given = plain.get("payload")
    payload = given if isinstance(given, dict) else {}
    place: dict[str, str] = {key: str(plain.get(key) or "") for key in ("timestamp", "session_id", "cursor")}
    kind = _PAYLOADS.get(name)
    try:
        if kind is not None:
            return LiveFrame(type=name, payload=convert(payload, kind), **place)  # type: ignore[arg-type]
    except InvalidAnswerError:
        pass
    return OtherFrame(type=name, payload=payload, **place)


def decode_history(body: bytes) -> MessagesResult:
    """Return a history. Raise InvalidAnswerError."""
    plain = decode_answer(body, dict[str, Any])
    found = convert({**plain, "messages": []}, MessagesResult)
    listed = plain.get("messages") or ()
    messages = tuple(convert_frame(each) for each in listed if isinstance(each, dict))
    filled = msgspec.structs.replace(found, messages=messages)
    filled.__dict__.update(read_extra(found))
    return filled


# -- structs that keep further fields ------------------------------------------------------------------------


@functools.cache
def _open(kind: Any) -> Any:
    """Return the type with every struct replaced by one that has a `__dict__`; what may be null may be absent."""
    if kind is LiveFrame:
        return Any  # its payload is a union of structs without tags: see convert_frame
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _open_struct(kind)
    arguments = get_args(kind)
    if not arguments or get_origin(kind) not in (Union, types.UnionType, tuple, list, dict):
        return kind
    opened = tuple(_open(each) for each in arguments)
    if get_origin(kind) in (Union, types.UnionType):
        return Union[opened]  # noqa: UP007 - built from a tuple
    return get_origin(kind)[opened]


def _open_struct(kind: type[Struct]) -> type[Struct]:
    hints = get_type_hints(kind)
    namespace: dict[str, Any] = {"__module__": kind.__module__, "__annotations__": {}}
    for field in msgspec.structs.fields(kind):
        is_bare = field.default is NODEFAULT and field.default_factory is NODEFAULT
        default = _choose_default(hints[field.name]) if is_bare else field.default
        factory = field.default_factory
        namespace["__annotations__"][field.name] = _open(hints[field.name])
        namespace[field.name] = (
            msgspec.field(default_factory=factory, name=field.encode_name)
            if factory is not NODEFAULT
            else msgspec.field(default=default, name=field.encode_name)
        )
    # not msgspec.defstruct: it fails for a base with a metaclass of its own (msgspec 0.20)
    options = {"frozen": True, "kw_only": True, "dict": True}
    return types.new_class(kind.__name__, (kind,), options, lambda body: body.update(namespace))


def _choose_default(hint: Any) -> Any:
    if type(None) in get_args(hint):
        return None
    return () if get_origin(hint) is tuple else NODEFAULT


def _keep_extra(typed: Any, plain: Any) -> None:
    if isinstance(typed, Struct) and isinstance(plain, Mapping):
        fields = msgspec.structs.fields(typed)
        names = {field.encode_name for field in fields}
        typed.__dict__.update((key, value) for key, value in plain.items() if key not in names)
        for field in fields:
            _keep_extra(getattr(typed, field.name), plain.get(field.encode_name))
        return
    for part, value in _pair(typed, plain):
        _keep_extra(part, value)


def _pair(typed: Any, plain: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(typed, tuple | list) and isinstance(plain, list):
        yield from zip(typed, plain, strict=True)
    elif isinstance(typed, dict) and isinstance(plain, dict) and typed is not plain:
        yield from ((typed[key], plain[key]) for key in _shared(typed, plain))


def _shared(typed: Mapping[Any, Any], plain: Mapping[Any, Any]) -> Iterable[Any]:
    return typed.keys() & plain.keys()
