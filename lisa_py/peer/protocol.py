"""Decode requests and encode messages."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError, find_similar
from lisa_py.contract.peer import PeerMessage, PeerRequest, RequestId
from lisa_py.dispatch import FORMATS, CommandResult

_KEYS = PeerRequest.__struct_fields__
_FIRST_ID = re.compile(rb'\s*\{\s*"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)\s*[,}]')
_INVALID = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Identity(Struct, frozen=True):
    id: RequestId = None


def parse_request(line: bytes) -> PeerRequest:
    """Return the request of a line. Raise LisaError(invalid_request)."""
    try:
        request = msgspec.json.decode(line, type=PeerRequest)
    except _INVALID as problem:
        reason = _describe_unknown_key(line) or problem
        raise LisaError(
            "invalid_request",
            f'invalid request: {reason} (expected one line like {{"id": 1, "command": "session list", "args": {{}}}})',
        ) from None
    if request.format not in FORMATS:
        raise LisaError("invalid_request", f"invalid format: {request.format} (expected {' or '.join(FORMATS)})")
    if not request.command and request.cancel is None:
        raise LisaError("invalid_request", "invalid request: neither command nor cancel is given")
    return request


def read_id(line: bytes) -> RequestId:
    """Return the id of a line that is no valid request, also if only its beginning is there; None without one."""
    with suppress(*_INVALID):
        return msgspec.json.decode(line, type=_Identity).id
    first = _FIRST_ID.match(line)
    with suppress(*_INVALID):
        return msgspec.json.decode(first[1], type=RequestId) if first else None
    return None


def _describe_unknown_key(line: bytes) -> str:
    try:
        given = msgspec.json.decode(line, type=dict[str, Any])
    except _INVALID:
        return ""
    unknown = next((key for key in given if key not in _KEYS), None)
    if unknown is None:
        return ""
    similar = find_similar(unknown, _KEYS)
    return f"unknown key {unknown}; " + (f"did you mean {similar}?" if similar else f"known are {', '.join(_KEYS)}")


def build_answer(request_id: RequestId, result: CommandResult) -> PeerMessage:
    return PeerMessage(id=request_id, answer=result.answer, exit_code=result.exit_code)


def build_error(request_id: RequestId, problem: LisaError) -> PeerMessage:
    return PeerMessage(id=request_id, error=problem.to_object(), exit_code=problem.exit_code)


def encode_message(message: PeerMessage) -> bytes:
    return jsontext.encode_event(msgspec.to_builtins(message)) + b"\n"
