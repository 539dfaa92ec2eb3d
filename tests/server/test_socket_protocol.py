"""Connections whose peer is silent or does not read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from lisa_py.server import socket_protocol
from lisa_py.server.socket_protocol import SocketProtocol

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def accept_and_wait(scope: Any, receive: Any, send: Any) -> None:
    """Serve a WebSocket that only listens."""
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> float:
    """Return the silence that ends a connection; it is short."""
    monkeypatch.setattr(socket_protocol, "PING_SECONDS", 0.05)
    monkeypatch.setattr(socket_protocol, "SILENCE_SECONDS", 0.8)
    return 0.8


@pytest.fixture
def port() -> Iterator[int]:
    """Yield the port of a server."""
    server = uvicorn.Server(uvicorn.Config(accept_and_wait, ws=SocketProtocol, lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)


def test_silent_peer_is_closed_with_4101(silence: float, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.settimeout(10)
        raw.sendall(HANDSHAKE)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while data := raw.recv(4096):  # pings are not answered
                received += data
    assert (4101).to_bytes(2, "big") + b"nothing was received" in received
    assert received.count(b"\x89\x04lisa") > 1


def test_answered_pings_keep_a_connection(silence: float, port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}", ping_interval=None) as reader:
        with pytest.raises(TimeoutError):
            reader.recv(timeout=2 * silence)
        reader.send("alive")


def test_violated_limit_reaches_the_peer(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}", ping_interval=None) as reader:
        reader.send("x" * (17 << 20))
        with pytest.raises(ConnectionClosed) as closed:
            reader.recv(timeout=20)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
