"""A listener on a Unix socket that answers like no tmux server."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading


def pack_message(kind: int, data: bytes = b"", version: int = 8) -> bytes:
    """Return a message of tmux's protocol."""
    return struct.pack("=IIII", kind, 16 + len(data), version, 1) + data


class TmuxStub:
    """A server that answers every client with the same bytes and closes; without an answer it keeps the client."""

    def __init__(self, path: str, answer: bytes | None) -> None:
        self.path = path
        self.received: list[bytes] = []
        """The first bytes of each client."""
        self._answer = answer
        self._clients: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                self.received.append(client.recv(1 << 16))
                if self._answer is not None:
                    with contextlib.suppress(OSError):
                        client.sendall(self._answer)
                    client.close()

    def __enter__(self) -> TmuxStub:
        return self

    def __exit__(self, *problem: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        for each in (self._listener, *self._clients):
            each.close()
