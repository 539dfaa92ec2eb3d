"""Reads a handoff that somebody else made: any schema, packed or plain, as a file or from a pipe."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.core.advice.given import Inputs, Unusable
from lisa_py.core.relay import compression
from lisa_py.core.relay.blocks import ObjectiveBlock
from lisa_py.core.relay.memory import MemoryBlock
from lisa_py.core.relay.recent import Item

T = TypeVar("T")


class Baton(Struct, frozen=True, kw_only=True):
    """What a handoff says; empty where it says nothing."""

    session: str = ""
    project_root: str = ""
    status: str = ""
    session_state: str = ""
    reason: str = ""
    next_action: str = ""
    next_offset: int = 0
    waiting_for: str = ""
    recent: tuple[Item, ...] = ()
    dropped_recent: int = 0
    capture_tail: str = ""
    objective: ObjectiveBlock | UnsetType = UNSET
    lane: str = ""
    memory: MemoryBlock | UnsetType = UNSET


def load(inputs: Inputs, path: str) -> Baton:
    """Raises LisaError(invalid_from_handoff | handoff_decompress_failed)."""
    try:
        return parse(jsontext.decode(inputs.raw(path)))
    except Unusable as problem:
        raise LisaError("invalid_from_handoff", f"failed to load --from-handoff: {problem}") from problem
    except msgspec.DecodeError as problem:
        raise LisaError("invalid_from_handoff", f"failed to load --from-handoff: not JSON: {problem}") from problem


def parse(payload: object) -> Baton:
    """Raises Unusable, and LisaError for a packed payload that is damaged."""
    found = _opened(payload)
    state = found.get("state")
    nested: dict[str, Any] = state if isinstance(state, dict) else {}
    return Baton(
        session=_word(found, "session"),
        project_root=_word(found, "projectRoot"),
        status=_word(found, "status") or _word(nested, "status"),
        session_state=_word(found, "sessionState") or _word(nested, "sessionState"),
        reason=_word(found, "reason") or _word(nested, "reason"),
        next_action=_action(found.get("nextAction")),
        next_offset=_number(found, "nextOffset"),
        waiting_for=_word(found, "waitingFor"),
        recent=_converted(
            [] if found.get("recent") is None else found["recent"],
            tuple[Item, ...],
            "recent: expected []sessionHandoffItem",
        ),
        dropped_recent=_number(found, "droppedRecent"),
        capture_tail=_word(found, "captureTail"),
        objective=_converted(found.get("objective"), ObjectiveBlock, "objective"),
        lane=_lane(found.get("lane")),
        memory=_converted(found.get("memory"), MemoryBlock, "memory"),
    )


def _opened(payload: object) -> dict[str, Any]:
    """The payload with what is packed inside it, where it is packed."""
    if not isinstance(payload, dict):
        raise Unusable("the handoff must be a JSON object")
    if payload.get("ok") is False and "error" in payload:
        raise Unusable(f"the handoff itself failed: {payload['error']}")
    packed = payload.get("compressedPayload")
    if not packed:
        return payload
    raw = compression.unpack(str(packed), _word(payload, "encoding"), _word(payload, "checksum"))
    inner = jsontext.decode(raw)
    if not isinstance(inner, dict):
        raise Unusable("the packed handoff must be a JSON object")
    return {**payload, **inner}


def _word(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unusable(f"invalid handoff {key}: expected a string")
    return value.strip() if key != "captureTail" else value.strip("\n")


def _number(found: dict[str, Any], key: str) -> int:
    value = found.get(key)
    return max(0, int(value)) if isinstance(value, (int, float)) and value == value and abs(value) < 1 << 62 else 0


def _action(value: object) -> str:
    """Of v1 the name; of later schemas the object's name, else its command."""
    if isinstance(value, dict):
        return _word(value, "name") or _word(value, "command")
    return _word({"nextAction": value}, "nextAction")


def _lane(value: object) -> str:
    return _word(value, "name") if isinstance(value, dict) else _word({"lane": value}, "lane")


def _converted(value: object, kind: type[T], what: str) -> Any:
    if value is None:
        return UNSET
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as problem:
        raise Unusable(f"invalid handoff {what}: {problem}") from problem
