"""Listen on a port or a Unix socket until a signal."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import stat
import threading
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.server import gate
from lisa_py.server.socket_protocol import SocketProtocol

END_SECONDS = 4
"""Time for requests that have begun when the server is to end."""


@contextlib.contextmanager
def open_port(port: int) -> Iterator[socket.socket]:
    """Yield a listening socket on 127.0.0.1. Raise LisaError(port_unavailable)."""
    # asyncio (3.11) sends without delay only on sockets of this protocol: else each further request takes 40 ms
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(("127.0.0.1", port))
            made.listen(512)
        except OSError as problem:
            text = f"cannot listen on port {port}: {problem.strerror}; choose another with --port (0: a free one)"
            raise LisaError("port_unavailable", text) from problem
        yield made


@contextlib.contextmanager
def open_socket(path: str) -> Iterator[socket.socket]:
    """Yield a listening Unix socket, removed at the end. Raise LisaError(socket_refused)."""
    _check_place(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        try:
            os.fchmod(made.fileno(), files.PRIVATE_FILE)  # the mode that bind gives the file, on Linux
            made.bind(path)
            os.chmod(path, files.PRIVATE_FILE)
            made.listen(512)
        except OSError as problem:
            raise LisaError("socket_refused", f"cannot listen on {path}: {problem.strerror}") from problem
        try:
            yield made
        finally:
            files.remove(path)


def _check_place(path: str) -> None:
    """Raise LisaError(socket_refused) for a socket in use, or in a folder in which others can replace it."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        info = os.stat(folder)
    except OSError as problem:
        raise LisaError("socket_refused", f"cannot listen on {path}: {problem.strerror}") from problem
    if info.st_uid != os.getuid() or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        text = f"cannot listen on {path}: others can write its folder; choose one that only you can write"
        raise LisaError("socket_refused", text)
    if not os.path.lexists(path):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        code = probe.connect_ex(path)
    if code != errno.ECONNREFUSED:
        raise LisaError("socket_refused", f"cannot listen on {path}: it is in use, or no socket")
    files.remove(path)


def serve(
    app: ASGIApp, listening: list[socket.socket], on_ready: Callable[[], None], on_end: Callable[[], None]
) -> int:
    """Serve until TERM or INT; return the exit code."""
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws=SocketProtocol,
        ws_max_size=1 << 20,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=END_SECONDS,
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=gate.HEADER_BYTES,
    )
    server = _SignalledServer(config, on_ready, on_end)
    server.run(sockets=listening)
    return 0


class _SignalledServer(uvicorn.Server):
    """A server that reports that it listens, and that its end begins."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], on_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_end = on_end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_end()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End at INT and TERM without raising the signal again: its end is a success."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        former = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
