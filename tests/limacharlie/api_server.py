"""A loopback server that answers the sessions API of the real client from lisa's own core functions."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from lisa_py.contract.errors import LisaError
from lisa_py.contract.live import LiveFrame
from lisa_py.core.context import Context
from lisa_py.core.fleet import session_objects
from lisa_py.core.lifecycle import credentials, kill
from lisa_py.core.live import attach, owned_sessions
from lisa_py.core.usage import hourly
from lisa_py.store import live_records
from lisa_py.store.paths import SessionRef
from tests.lisa_host import LisaHost

TOKEN = "token-of-the-test"
STATUS_CODES = {"session_not_found": 404}
Answer = tuple[int, Any]


class ApiServer:
    """The server, and the requests that it got."""

    def __init__(self, machine: LisaHost) -> None:
        self._machine = machine
        self._contexts: list[Context] = []
        self.project_id = live_records.project_id(machine.context().project())
        self.requests: list[str] = []
        self._sockets = serve(self._talk, sock=socket.socket(), process_request=self._check_handshake)
        self._http = _Listener(("127.0.0.1", 0), self)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def context(self) -> Context:
        made = self._machine.context()
        self._contexts.append(made)
        return made

    def close(self) -> None:
        for ctx in self._contexts:
            ctx.cancellation.cancel()
        self._http.shutdown()
        self._http.server_close()
        for each in (self._sockets.socket, self._sockets.shutdown_watcher, self._sockets.shutdown_notifier):
            each.close()
        self._thread.join()

    # -- REST ----------------------------------------------------------------------------------------------------

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Return status and body of one request."""
        url = urlsplit(target)
        words = url.path.strip("/").split("/")
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        self.requests.append(f"{method} {target}")
        try:
            return self._route(method, words, query, json.loads(body) if body.startswith(b"{") else {})
        except LisaError as problem:
            return STATUS_CODES.get(problem.code, 400), {"error": problem.code, "message": problem.message}

    def _route(self, method: str, words: list[str], query: dict[str, str], body: dict[str, Any]) -> Answer:
        match method, words:
            case "POST", ["jwt"]:
                return 200, {"jwt": TOKEN}
            case "GET", ["v1", "orgs", _, "url"]:
                return 200, {"url": {"ai": self.url}}
            case _, ["v1", "org", "sessions", *rest]:
                return self._route_sessions("org", method, rest, query)
            case _, ["v1", "sessions", *rest]:
                return self._route_sessions("user", method, rest, query)
            case "GET", ["v1", "org", "usage", "identities"]:
                hourly.collect(self.context(), self.context().project())
                return 200, {"identities": hourly.list_identities(self.context(), self.context().project())}
            case "GET", ["v1", "org", "usage", "identities", name]:
                hourly.collect(self.context(), self.context().project())
                usage = hourly.read_hours(self.context(), self.context().project(), identity=name)
                return 200 if usage else 404, {"identity": name, "usage": usage}
            case "GET", ["v1", "auth", "claude", "status"]:
                found = credentials.read_status(self.context(), credentials.find_agent())
                kind, created_at = found.credential_type or None, found.created_at or None
                return 200, {
                    "has_credentials": found.has_credentials, "credential_type": kind, "created_at": created_at
                }  # fmt: skip
        return 404, {"error": "not_found", "message": f"no such route: {method} {'/'.join(words)}"}

    def _route_sessions(self, family: str, method: str, words: list[str], query: dict[str, str]) -> Answer:
        ctx = self.context()
        match method, words:
            case "GET", []:
                limit = int(query["limit"]) if "limit" in query else None
                page = session_objects.page_sessions(
                    ctx,
                    family=family,
                    status=query.get("status", ""),
                    limit=session_objects.PAGE_SIZE if limit is None else limit,
                    cursor=query.get("cursor", ""),
                    project=ctx.project() if family == "org" else None,
                )
                return 200, page
            case "GET", [identity]:
                return 200, {"session": session_objects.describe_session(ctx, self._find_owned(identity, family))}
            case "DELETE", [identity]:
                reason = "org_api_requested" if family == "org" else "user_requested"
                kill.terminate_session(ctx, self._find_owned(identity, family), reason)
                return 200, {"terminated": True}
            case "GET", [identity, "history"]:
                return 200, attach.read_messages(ctx, self._find_owned(identity, family))
        return 404, {"error": "not_found", "message": f"no such route: {method} {'/'.join(words)}"}

    def _find_owned(self, identity: str, family: str) -> SessionRef:
        return owned_sessions.find_session(self.context(), identity, str(self._machine.project), family)

    # -- WebSocket -----------------------------------------------------------------------------------------------

    def take_socket(self, connection: socket.socket, address: Any) -> None:
        """Serve a connection that asks for a WebSocket, until it ends."""
        self._sockets.handler(connection, address)

    def _check_handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(f"GET {request.path}")
        try:
            ref, is_owner = self._find(request.path)
        except LisaError:
            return connection.respond(404, "not found")
        record = live_records.read_readable(ref)
        if is_owner and (record is None or record.family != "user"):
            return connection.respond(403, "not the owner")
        return None

    def _find(self, path: str) -> tuple[SessionRef, bool]:
        words = path.strip("/").split("/")
        return owned_sessions.find_session(self.context(), words[-1], ""), words[2] == "sessions"

    def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        ref, _ = self._find(connection.request.path)
        record = live_records.read_readable(ref)
        assert record is not None
        recorded: list[LiveFrame] | None = []

        def send(frame: LiveFrame) -> None:
            if recorded is not None:
                recorded.append(frame)
            else:
                connection.send(msgspec.json.encode(frame).decode())

        def begin_live() -> None:
            nonlocal recorded
            assert recorded is not None
            history, recorded = recorded, None
            connection.send(msgspec.json.encode(attach.build_history(history, record.id)).decode())

        with contextlib.suppress(ConnectionClosed):
            attach.attach(self.context(), ref, send, keep=attach.is_message, on_live=begin_live)


class _Listener(ThreadingHTTPServer):
    """One port for both protocols: the first packet of a connection decides."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], api: ApiServer) -> None:
        super().__init__(address, _Handler)
        self.api = api

    def finish_request(self, request: Any, client_address: Any) -> None:
        if b"upgrade: websocket" in request.recv(65536, socket.MSG_PEEK).lower():
            self.api.take_socket(request, client_address)
        else:
            super().finish_request(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One REST request."""

    protocol_version = "HTTP/1.1"
    server: _Listener

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = self.server.api.answer(self.command, self.path, body)
        encoded = msgspec.json.encode(answer)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    do_GET = do_POST = do_DELETE = _serve

    def log_message(self, *words: Any) -> None:
        """Print nothing."""


@contextlib.contextmanager
def serving(machine: LisaHost) -> Iterator[ApiServer]:
    """Run a server for the sessions of a host."""
    server = ApiServer(machine)
    try:
        yield server
    finally:
        server.close()
