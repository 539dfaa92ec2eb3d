"""Decode requests and encode messages."""

from __future__ import annotations

import msgspec

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.contract.peer import PeerMessage, PeerRequest, RequestId
from lisa_py.dispatch import FORMATS, CommandResult


def parse_request(line: bytes) -> PeerRequest:
    """Return the request of a line. Raise LisaError(invalid_request)."""
    try:
        request = msgspec.json.decode(line, type=PeerRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise LisaError(
            "invalid_request",
            f'invalid request: {problem} (expected one line like {{"id": 1, "command": "session list", "args": {{}}}})',
        ) from None
    if request.format not in FORMATS:
        raise LisaError("invalid_request", f"invalid format: {request.format} (expected {' or '.join(FORMATS)})")
    if not request.command and request.cancel is None:
        raise LisaError("invalid_request", "invalid request: neither command nor cancel is given")
    return request


def build_answer(request_id: RequestId, result: CommandResult) -> PeerMessage:
    return PeerMessage(id=request_id, answer=result.answer, exit_code=result.exit_code)


def build_error(request_id: RequestId, problem: LisaError) -> PeerMessage:
    return PeerMessage(id=request_id, error=problem.to_object(), exit_code=problem.exit_code)


def encode_message(message: PeerMessage) -> bytes:
    return jsontext.encode_event(msgspec.to_builtins(message)) + b"\n"
