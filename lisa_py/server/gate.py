"""Check each connection before a route sees it: host, origin, rights, size of the body.

A page in a browser can do nothing: the host must be this machine, an origin must be allowed, and there are no cookies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from starlette.types import Scope

from lisa_py.contract.errors import LisaError
from lisa_py.server import tokens
from lisa_py.server.options import ServerState
from lisa_py.server.route import Route
from lisa_py.server.tokens import Caller

HEADER_BYTES = 16_384
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
SUBPROTOCOL = "access_token"


def read_headers(scope: Scope) -> dict[str, str]:
    """Return the headers by lower-case name."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def check_size(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise LisaError(header_too_large); the parser lets pass what arrives in one piece."""
    if sum(len(name) + len(value) for name, value in headers) > HEADER_BYTES:
        raise LisaError("header_too_large", f"the headers have over {HEADER_BYTES} bytes")


def check_host(server: ServerState, headers: Mapping[str, str]) -> None:
    """Raise LisaError(foreign_host) for a name by which a page of another host would reach this one."""
    name, _, port = headers.get("host", "").rpartition(":") if _has_port(headers.get("host", "")) else (
        headers.get("host", ""), "", "",
    )  # fmt: skip
    is_known = name.lower() in LOOPBACK_HOSTS and (not server.port or port in ("", str(server.port)))
    if not is_known and not (server.port == 0 and not headers.get("host")):
        raise LisaError("foreign_host", f"the host is not this server: {headers.get('host', '')} (use {server.url})")


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit()


def check_origin(server: ServerState, headers: Mapping[str, str]) -> None:
    """Raise LisaError(foreign_origin) for the page of an origin that is not allowed."""
    origin = headers.get("origin")
    if origin is not None and origin.lower().rstrip("/") not in server.options.allowed_origins:
        raise LisaError("foreign_origin", "the origin of the page is not allowed; start lisa serve with --allow-origin")


def identify(server: ServerState, route: Route, headers: Mapping[str, str]) -> Caller | None:
    """Return the caller of a route. Raise LisaError(unauthorized | forbidden)."""
    if route.access == "open":
        return None
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    caller = tokens.identify(server.keys, secret.strip() if scheme.lower() == "bearer" else "")
    if route.scope == "control" and caller.scope != "control":
        raise LisaError("forbidden", "the token may only read; this call needs one of scope control")
    return caller


def find_socket_token(headers: Mapping[str, str], query: bytes) -> tuple[str, str]:
    """Return the token of a WebSocket handshake and its carrier: header, protocol or query."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return secret.strip(), "header"
    offered = [word.strip() for word in headers.get("sec-websocket-protocol", "").split(",")]
    if len(offered) > 1 and offered[0] == SUBPROTOCOL:
        return offered[1], "protocol"
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name == "token":
            return value, "query"
    return "", "header"
