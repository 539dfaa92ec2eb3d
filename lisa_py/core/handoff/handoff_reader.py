"""Parse a handoff of any schema, compressed or plain, from a file or a pipe."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.core.handoff import compression
from lisa_py.core.handoff.blocks import ObjectiveBlock
from lisa_py.core.handoff.session_memory import MemoryBlock
from lisa_py.core.inputs import InputError, Inputs
from lisa_py.core.output.events import RecentEvent

T = TypeVar("T")


class ParsedHandoff(Struct, frozen=True, kw_only=True):
    """Content of a handoff; unset parts are empty."""

    session: str = ""
    project_root: str = ""
    status: str = ""
    session_state: str = ""
    reason: str = ""
    next_action: str = ""
    next_offset: int = 0
    waiting_for: str = ""
    recent: tuple[RecentEvent, ...] = ()
    dropped_recent: int = 0
    capture_tail: str = ""
    objective: ObjectiveBlock | UnsetType = UNSET
    lane: str = ""
    memory: MemoryBlock | UnsetType = UNSET


def load(inputs: Inputs, path: str) -> ParsedHandoff:
    """Read a handoff. Raise LisaError(invalid_from_handoff | handoff_decompress_failed)."""
    try:
        return parse(jsontext.decode(inputs.read_bytes(path)))
    except InputError as problem:
        raise LisaError("invalid_from_handoff", f"failed to load --from-handoff: {problem}") from problem
    except msgspec.DecodeError as problem:
        raise LisaError("invalid_from_handoff", f"failed to load --from-handoff: not JSON: {problem}") from problem


def parse(payload: object) -> ParsedHandoff:
    """Parse a handoff. Raise InputError, and LisaError for a damaged compressed payload."""
    found = _unpack(payload)
    state = found.get("state")
    nested: dict[str, Any] = state if isinstance(state, dict) else {}
    return ParsedHandoff(
        session=_read_text(found, "session"),
        project_root=_read_text(found, "projectRoot"),
        status=_read_text(found, "status") or _read_text(nested, "status"),
        session_state=_read_text(found, "sessionState") or _read_text(nested, "sessionState"),
        reason=_read_text(found, "reason") or _read_text(nested, "reason"),
        next_action=_read_action(found.get("nextAction")),
        next_offset=_read_number(found, "nextOffset"),
        waiting_for=_read_text(found, "waitingFor"),
        recent=_convert(
            [] if found.get("recent") is None else found["recent"],
            tuple[RecentEvent, ...],
            "recent: expected []sessionHandoffItem",
        ),
        dropped_recent=_read_number(found, "droppedRecent"),
        capture_tail=_read_text(found, "captureTail"),
        objective=_convert(found.get("objective"), ObjectiveBlock, "objective"),
        lane=_read_lane(found.get("lane")),
        memory=_convert(found.get("memory"), MemoryBlock, "memory"),
    )


def _unpack(payload: object) -> dict[str, Any]:
    """Return the payload with its compressed part expanded."""
    if not isinstance(payload, dict):
        raise InputError("the handoff must be a JSON object")
    if payload.get("ok") is False and "error" in payload:
        raise InputError(f"the handoff itself failed: {payload['error']}")
    packed = payload.get("compressedPayload")
    if not packed:
        return payload
    raw = compression.unpack(str(packed), _read_text(payload, "encoding"), _read_text(payload, "checksum"))
    inner = jsontext.decode(raw)
    if not isinstance(inner, dict):
        raise InputError("the packed handoff must be a JSON object")
    return {**payload, **inner}


def _read_text(found: dict[str, Any], key: str) -> str:
    value = found.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"invalid handoff {key}: expected a string")
    return value.strip() if key != "captureTail" else value.strip("\n")


def _read_number(found: dict[str, Any], key: str) -> int:
    value = found.get(key)
    return max(0, int(value)) if isinstance(value, (int, float)) and value == value and abs(value) < 1 << 62 else 0


def _read_action(value: object) -> str:
    """Return the name in v1; the name of the object in later schemas, else its command."""
    if isinstance(value, dict):
        return _read_text(value, "name") or _read_text(value, "command")
    return _read_text({"nextAction": value}, "nextAction")


def _read_lane(value: object) -> str:
    return _read_text(value, "name") if isinstance(value, dict) else _read_text({"lane": value}, "lane")


def _convert(value: object, kind: type[T], what: str) -> Any:
    if value is None:
        return UNSET
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as problem:
        raise InputError(f"invalid handoff {what}: {problem}") from problem
