"""Decide who may open a WebSocket of which session."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from msgspec import Struct

from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.core.live import owned_sessions
from lisa_py.server import gate, tokens
from lisa_py.server.options import ServerState
from lisa_py.server.route import find_root
from lisa_py.server.tokens import Caller
from lisa_py.store import live_records
from lisa_py.store.paths import SessionRef

PATHS = {
    "user": ("/v1/ws/sessions/{id}", "/v1/sessions/{id}/ws"),
    "org": ("/v1/ws/org/sessions/{id}", "/v1/org/sessions/{id}/ws"),
}
"""Paths of the owner's socket and of the read-only one; the second of each is the older form."""
_PATTERNS = [(family, re.compile(path.replace("{id}", "([^/]+)"))) for family, paths in PATHS.items() for path in paths]
CLOSE_CODES = {"unauthorized": 4001, "not_owner": 4003, "session_not_found": 4004, "project_not_found": 4004}
"""Close codes of a refusal that the client could not see as an HTTP status."""
REFUSED_CLOSE, INTERNAL_CLOSE = 4400, 4500
"""Close codes of every other refusal, and of a failure of the server."""


class SocketRequest(Struct, frozen=True, kw_only=True):
    """A WebSocket handshake."""

    family: str
    """user for the owner's socket, org for the read-only one."""
    id: str
    token: str
    carrier: str
    """header, protocol or query."""
    since: str
    subprotocol: str | None
    """The one to select; None for none."""


class SocketTicket(Struct, frozen=True, kw_only=True):
    """The right to read a session, and perhaps to send to it."""

    ref: SessionRef
    id: str
    """Id of the session, of this run."""
    caller: Caller
    may_send: bool


def match_path(path: str) -> tuple[str, str] | None:
    """Return the family and the session of a path; None for another path."""
    for family, pattern in _PATTERNS:
        found = pattern.fullmatch(path)
        if found is not None:
            return family, unquote(found[1])
    return None


def read_request(path: str, headers: Mapping[str, str], query: bytes) -> SocketRequest:
    """Return the handshake. Raise LisaError(not_found)."""
    found = match_path(path)
    if found is None:
        raise LisaError("not_found", f"no such WebSocket: {path} (GET /openapi lists the paths)")
    token, carrier = gate.find_socket_token(headers, query)
    given = dict(parse_qsl(query.decode("latin-1")))
    return SocketRequest(
        family=found[0],
        id=found[1],
        token=token,
        carrier=carrier,
        since=given.get("since", ""),
        subprotocol=gate.SUBPROTOCOL if carrier == "protocol" else None,
    )


def issue_ticket(server: ServerState, request: SocketRequest) -> SocketTicket:
    """Return the ticket of a handshake. Raise LisaError: unauthorized, session_not_found, not_owner."""
    caller = tokens.identify(server.keys, request.token)
    ref = _find_session(server, request, caller)
    record = live_records.read_readable(ref)
    if record is None:
        raise session_not_found(request.id, "")
    is_owned = record.family == "user" or server.options.interactive_api_sessions
    if request.family == "user" and not is_owned:
        text = f"the session belongs to its project; read it at {PATHS['org'][0].format(id=request.id)}"
        raise LisaError("not_owner", text)
    may_send = request.family == "user" and caller.scope == "control"
    return SocketTicket(ref=ref, id=record.id, caller=caller, may_send=may_send)


def _find_session(server: ServerState, request: SocketRequest, caller: Caller) -> SessionRef:
    """Return the session: one of the caller's project, or any chat of this user."""
    ctx = server.make_context()
    oid = "" if caller.oid in ("-", owned_sessions.EVERY_PROJECT) else caller.oid
    if request.family == "org" and oid:
        try:
            return owned_sessions.find_session(ctx, request.id, find_root(server, oid))
        except LisaError as problem:
            if problem.code != "session_not_found":
                raise
        return owned_sessions.find_session(ctx, request.id, "", "user")
    return owned_sessions.find_session(ctx, request.id, "")
