"""The application: routes behind their checks, each handler in a thread."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from lisa_py import crash_report
from lisa_py.contract.errors import LisaError
from lisa_py.host import limits
from lisa_py.server import bodies, failures, gate, routes
from lisa_py.server.options import ServerState
from lisa_py.server.route import ApiReply, RestCall, Route, encode
from lisa_py.server.sockets import SocketFace

CORE_THREADS = 4
"""Calls of tmux at the same time."""
FINISH_SECONDS = 0.5
"""Time for inputs of sessions when the server ends."""
COMMAND_THREADS = 64
"""Commands that run at the same time; a wait takes one place."""


class ServerApp:
    """The ASGI application of one server."""

    def __init__(self, server: ServerState) -> None:
        self.server = server
        self._pools = {
            "core": anyio.CapacityLimiter(CORE_THREADS),
            "commands": anyio.CapacityLimiter(COMMAND_THREADS),
        }
        self._sockets = SocketFace(server, self._pools["core"])
        server.listeners.append(self._sockets.announce_file)
        app = Starlette(routes=self._make_routes())
        app.state.command_threads = self._pools["commands"]
        self._app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return
        headers = gate.read_headers(scope)
        try:
            gate.check_size(scope["headers"])
            gate.check_host(self.server, headers)
            gate.check_origin(self.server, headers)
        except LisaError as problem:
            await _refuse(scope, receive, send, problem)
            return
        if scope["type"] == "http":
            await self._serve_http(scope, receive, _add_cors(send, headers), headers)
            return
        try:
            await self._sockets.serve(scope, receive, send)
        except LisaError as problem:
            await _refuse(scope, receive, send, problem)

    def finish(self) -> None:
        """Finish what is being sent to sessions, for a moment."""
        self._sockets.sessions.close(FINISH_SECONDS)

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send, headers: Mapping[str, str]) -> None:
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send)
            return
        try:
            self._check_route(scope)
        except LisaError as problem:
            await _refuse(scope, receive, send, problem)
            return
        await self._app(scope, receive, send)

    def _check_route(self, scope: Scope) -> None:
        """Raise LisaError(not_found | method_not_allowed)."""
        matches = [route.matches(scope)[0] for route in self._routes]
        if Match.FULL in matches:
            return
        if Match.PARTIAL in matches:
            raise LisaError("method_not_allowed", f"the route has no method {scope['method']}: {scope['path']}")
        raise LisaError("not_found", f"no such route: {scope['path']} (GET /openapi lists the routes)")

    def _make_routes(self) -> list[BaseRoute]:
        self._routes: list[BaseRoute] = [
            StarletteRoute(route.path, functools.partial(self._answer, route), methods=[route.method])
            for route in routes.list_routes()
        ]
        for route in self._routes:
            assert isinstance(route, StarletteRoute)
            route.methods = (route.methods or set()) - {"HEAD"}
        return self._routes

    async def _answer(self, route: Route, request: Request) -> Response:
        headers = gate.read_headers(request.scope)
        try:
            caller = gate.identify(self.server, route, headers)
            raw = b"" if route.streams else await _read_body(request, route.max_bytes)
            body, unknown = bodies.parse_body(raw, route.body) if route.body is not None else (None, ())
            call = RestCall(
                self.server,
                caller,
                path=request.path_params,
                query=dict(request.query_params),
                headers=headers,
                body=body,
                raw=raw,
                unknown_keys=unknown,
                chunks=_read_chunks(request) if route.streams else (),
            )
            answer = await anyio.to_thread.run_sync(route.run, call, limiter=self._pools[route.pool])
        except LisaError as problem:
            return build_failure(problem)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as problem:
            shortage = limits.find_shortage(problem)
            known = shortage or crash_report.write_crash_report(problem, [route.method, route.path])
            self.server.log(f"{route.method} {route.path}: {known.message}")
            return build_failure(known)
        if isinstance(answer, Response):
            return answer
        if isinstance(answer, ApiReply):
            return _build(answer.body, answer.status)
        return _build(answer, route.status)


def _build(answer: Any, status: int) -> Response:
    return Response(encode(answer), status_code=status, media_type="application/json")


def build_failure(problem: LisaError) -> Response:
    """Return the response of a failure."""
    response = _build(failures.build_body(problem), failures.choose_status(problem))
    if response.status_code == 429:
        response.headers["Retry-After"] = str(problem.details.get("retryAfter", 1))
    return response


async def _read_body(request: Request, limit: int) -> bytes:
    """Return the body. Raise LisaError(too_large), before it is read where its length is given."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > limit:
            raise _too_large(limit)
    return bytes(raw)


def _read_chunks(request: Request) -> Iterator[bytes]:
    """Yield the pieces of a body, in a thread of the pool."""
    stream = request.stream()

    async def read_next() -> bytes | None:
        return await anext(stream, None)

    while (chunk := anyio.from_thread.run(read_next)) is not None:
        yield chunk


def _too_large(limit: int) -> LisaError:
    return LisaError("too_large", f"the body has over {limit} bytes")


async def _refuse(scope: Scope, receive: Receive, send: Send, problem: LisaError) -> None:
    """Answer a failure; a WebSocket handshake gets it as its HTTP answer."""
    response = build_failure(problem)
    if scope["type"] == "websocket":
        await send(
            {"type": "websocket.http.response.start", "status": response.status_code, "headers": response.raw_headers}
        )
        await send({"type": "websocket.http.response.body", "body": response.body})
        return
    await response(scope, receive, send)


_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-LC-OID, X-LC-UID",
    "Access-Control-Max-Age": "600",
}


def _add_cors(send: Send, headers: Mapping[str, str]) -> Send:
    """Return a sender that names the origin, which the gate has let pass."""
    origin = headers.get("origin")
    if origin is None:
        return send

    async def send_with_origin(message: Any) -> None:
        if message["type"] == "http.response.start":
            added = [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-expose-headers", b"Retry-After, Lisa-Exit-Code"),
                (b"vary", b"Origin"),
            ]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return send_with_origin
