"""A WebSocket server whose connections follow given scripts, one after the other."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve, unix_serve

from lisa_py.client.flow import ClientCore, Flow, ServerPlace
from lisa_py.client.retry import NO_RETRY
from lisa_py.client.sockets import SocketAddress

Script = Callable[["Connection"], None]


def frame(number: int, kind: str = "assistant") -> dict[str, Any]:
    return {"type": kind, "payload": {"content": f"text {number}"}, "cursor": f"t.x.{number}.0"}


def history(*numbers: int) -> dict[str, Any]:
    messages = [frame(number) for number in numbers]
    return {"type": "history", "payload": {"messages": messages}, "cursor": messages[-1]["cursor"] if messages else ""}


class Connection:
    """One connection, for its script."""

    def __init__(self, inner: ServerConnection) -> None:
        self.inner = inner

    def send(self, *messages: dict[str, Any] | str) -> None:
        for message in messages:
            self.inner.send(message if isinstance(message, str) else json.dumps(message))

    def read(self) -> dict[str, Any]:
        """Return the next message but a heartbeat."""
        while True:
            message: dict[str, Any] = json.loads(self.inner.recv(timeout=10))
            if message["type"] != "heartbeat":
                return message

    def close(self, code: int = 1000) -> None:
        self.inner.close(code)

    def cut(self) -> None:
        """End the connection as a killed process does."""
        self.inner.socket.close()


class SocketServer:
    """The server, and the requests that it got."""

    def __init__(self, *scripts: Script | int, path: str = "") -> None:
        """Run the scripts; a number is the HTTP status of a refused handshake."""
        self._scripts = list(scripts)
        self.requests: list[Request] = []
        self.leftovers: list[str] = []
        options: dict[str, Any] = {"process_request": self._check, "ping_interval": None}
        self._server = unix_serve(self._talk, path, **options) if path else serve(self._talk, "127.0.0.1", 0, **options)
        port = "" if path else f":{self._server.socket.getsockname()[1]}"
        self.url = f"ws://localhost{port}/v1/ws/sessions/s"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        script = self._scripts[0] if self._scripts else 404
        if not isinstance(script, int):
            return None
        del self._scripts[:1]
        return connection.respond(script, json.dumps({"error": "code", "message": f"refused {script}"}))

    def _talk(self, inner: ServerConnection) -> None:
        script = self._scripts.pop(0)
        assert not isinstance(script, int)
        with contextlib.suppress(ConnectionClosed, OSError):
            script(Connection(inner))
        with contextlib.suppress(ConnectionClosed, OSError):
            while True:
                self.leftovers.append(str(inner.recv(timeout=10)))

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()


@contextlib.contextmanager
def serving(*scripts: Script | int, path: str = "") -> Iterator[SocketServer]:
    server = SocketServer(*scripts, path=path)
    try:
        yield server
    finally:
        server.close()


class TestSource:
    """A client behind a socket whose token can be renewed."""

    __test__ = False

    def __init__(self, url: str, *, path: str = "", can_renew: bool = True) -> None:
        self.core = ClientCore(
            lambda: ServerPlace(url="http://localhost", socket=path),
            token="" if can_renew else "t",
            find_api_key=lambda: "key" if can_renew else "",
            retry=NO_RETRY,
        )
        self._url = url
        self._path = path
        self.tokens = 0

    async def find_address(self) -> SocketAddress:
        return SocketAddress(url=self._url, headers={"Authorization": f"Bearer t{self.tokens}"}, path=self._path)

    def refuse_token(self) -> None:
        self.tokens += 1

    async def run_flow(self, flow: Flow[Any]) -> Any:
        raise NotImplementedError
