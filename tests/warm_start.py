"""Warm start: fork every call from one process that has loaded the program.

Each call is still a process with its own arguments, environment, folder, streams and exit status; only the
interpreter's start and the imports are shared. Users run cold starts, and so does `tests/run --agents`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

_LENGTH_BYTES = 8
KILL_TIMEOUT_SECONDS = 20
START_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    **({"PYTHONPYCACHEPREFIX": sys.pycache_prefix} if sys.pycache_prefix else {"PYTHONDONTWRITEBYTECODE": "1"}),
}
"""Variables that the interpreter reads at its start, shared by all calls; the tree stays clean."""
_START_VARIABLE_PREFIXES = ("PYTHON", "LC_", "LANG", "LD_", "DYLD_")


def can_serve(env: Mapping[str, str]) -> bool:
    """Return True if a call in this environment starts as the loaded process did."""
    return {
        name: value for name, value in env.items() if name.startswith(_START_VARIABLE_PREFIXES)
    } == START_ENVIRONMENT


class WarmStart:
    """The loaded process. It starts with the first call and ends, with everything it runs, when
    this process ends or closes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def _connect(self) -> socket.socket:
        if self._socket is None:
            self._socket, child_socket = socket.socketpair()
            with child_socket:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "tests.warm_start"], stdin=child_socket, stdout=subprocess.DEVNULL,
                    env={**START_ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath)},
                )  # fmt: skip
        return self._socket

    def close(self) -> None:
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait()

    def run(
        self, words: Sequence[str], *, cwd: str, env: Mapping[str, str], data: bytes | None, timeout: float
    ) -> tuple[int, bytes, bytes]:
        """Return exit code (negative: the signal), stdout and stderr of one call. Raise subprocess.TimeoutExpired."""
        deadline = time.monotonic() + timeout
        with contextlib.ExitStack() as ours:
            with contextlib.ExitStack() as theirs:
                call, their_call = socket.socketpair()
                ours.enter_context(call)
                theirs.enter_context(their_call)
                their_input, feed = _open_input(data, ours, theirs)
                (out, their_out), (err, their_err) = (_open_output(ours, theirs) for _ in range(2))
                self._send_call(words, cwd, env, [their_input, their_out, their_err, their_call.fileno()])
            stdout_data, stderr_data = bytearray(), bytearray()
            try:
                _exchange_data({out: stdout_data, err: stderr_data}, feed, data or b"", deadline)
                call.settimeout(max(0.0, deadline - time.monotonic()))
                status = call.recv(16)
            except TimeoutError:
                call.shutdown(socket.SHUT_WR)  # which has it killed
                call.settimeout(KILL_TIMEOUT_SECONDS)
                call.recv(16)
                raise subprocess.TimeoutExpired(list(words), timeout, bytes(stdout_data), bytes(stderr_data)) from None
        if not status:
            raise RuntimeError("the warm start has ended; its own words are on the standard error of the tests")
        return int(status), bytes(stdout_data), bytes(stderr_data)

    def _send_call(self, words: Sequence[str], cwd: str, env: Mapping[str, str], streams: list[int]) -> None:
        text = json.dumps([list(words), cwd, dict(env)]).encode()  # strange bytes travel as lone surrogates
        with self._lock:
            connection = self._connect()
            socket.send_fds(connection, [len(text).to_bytes(_LENGTH_BYTES, "big")], streams)
            connection.sendall(text)


def _open_output(ours: contextlib.ExitStack, theirs: contextlib.ExitStack) -> tuple[int, int]:
    read, write = os.pipe()
    ours.callback(os.close, read)
    theirs.callback(os.close, write)
    return read, write


def _open_input(
    data: bytes | None, ours: contextlib.ExitStack, theirs: contextlib.ExitStack
) -> tuple[int, io.FileIO | None]:
    """Return the stdin of the call and the end to write to."""
    if data is None:
        read, feed = os.open(os.devnull, os.O_RDONLY), None
    else:
        read, write = os.pipe()
        os.set_blocking(write, False)
        feed = ours.enter_context(io.FileIO(write, "w"))
    theirs.callback(os.close, read)
    return read, feed


def _exchange_data(received: Mapping[int, bytearray], feed: io.FileIO | None, data: bytes, deadline: float) -> None:
    """Write the input of the call; read its output until both streams are closed. Raise TimeoutError."""
    with selectors.DefaultSelector() as selector:
        for stream in received:
            selector.register(stream, selectors.EVENT_READ)
        if feed is not None:
            selector.register(feed, selectors.EVENT_WRITE)
        while selector.get_map():
            ready = [key.fileobj for key, _ in selector.select(max(0.0, deadline - time.monotonic()))]
            if not ready and time.monotonic() >= deadline:
                raise TimeoutError
            for stream in ready:
                if isinstance(stream, io.FileIO):
                    data = data[_write_available(stream, data) :]
                    done = not data
                else:
                    received[stream].extend(part := os.read(stream, 65536))
                    done = not part
                if done:
                    selector.unregister(stream)
                if done and isinstance(stream, io.FileIO):
                    stream.close()


def _write_available(feed: io.FileIO, data: bytes) -> int:
    """Return the number of bytes written: all of them if the reader is gone."""
    try:
        return feed.write(data) or 0
    except BrokenPipeError:
        return len(data)


# -- the loaded process ---------------------------------------------------------------------------------------------


class _CallServer:
    """Receive calls, fork, report how each ended."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._running: dict[int, socket.socket] = {}
        self._wakeup_fd, wakeup_writer = os.pipe()
        os.set_blocking(wakeup_writer, False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, and for the calls
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)

    def serve(self) -> list[str]:
        """Return the arguments of a call, in the process that runs it; the serving process never returns."""
        while True:
            ready, _, _ = select.select([self._socket, self._wakeup_fd, *self._running.values()], [], [])
            if self._wakeup_fd in ready:
                os.read(self._wakeup_fd, 4096)
            self._reap()
            for pid, call in list(self._running.items()):
                if call in ready and not call.recv(1):
                    os.kill(pid, signal.SIGKILL)  # not reaped yet, so it still is this one
            if self._socket in ready and (words := self._accept()) is not None:
                return words

    def _reap(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with self._running.pop(pid) as call, contextlib.suppress(OSError):
                call.send(str(os.waitstatus_to_exitcode(status)).encode())

    def _accept(self) -> list[str] | None:
        head, streams, _, _ = socket.recv_fds(self._socket, _LENGTH_BYTES, 4)
        if not head:
            self._exit()
        text = bytearray()
        while missing := int.from_bytes(head, "big") - len(text):
            text += self._socket.recv(missing)
        pid = os.fork()
        if not pid:
            return _become_call(*json.loads(text), streams[:3])
        self._running[pid] = socket.socket(fileno=streams[3])
        for stream in streams[:3]:
            os.close(stream)
        return None

    def _exit(self) -> None:
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)


def _become_call(words: list[str], cwd: str, env: dict[str, str], streams: Sequence[int]) -> list[str]:
    """Make this process what a new one would be."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    sys.stdin, sys.stdout, sys.stderr = (
        _open_standard_stream(*of) for of in enumerate((sys.stdin, sys.stdout, sys.stderr))
    )
    return words


def _open_standard_stream(number: int, like: io.TextIOWrapper) -> io.TextIOWrapper:
    """Return a standard stream as the interpreter makes it, with empty buffers."""
    raw = open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115 - it lives as long as the process
    return io.TextIOWrapper(raw, encoding=like.encoding, errors=like.errors, line_buffering=number == 2)


_UNLOADED = ("lisa_py.pane", "lisa_py.cli.boot", "lisa_py.__main__", "lisa_py.server", "lisa_py.mcp", "lisa_py.client")
"""Never imported, or by long-running calls only: with fewer pages, each fork takes half the time."""


def load() -> None:
    """Import every module that a short call can need, without running anything."""
    import lisa_py

    for module in pkgutil.walk_packages(lisa_py.__path__, "lisa_py."):
        if not module.name.startswith(_UNLOADED):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()  # so that a call's collector leaves the shared pages alone


if __name__ == "__main__":
    own = socket.socket(fileno=os.dup(0))
    load()
    program = os.path.join(os.path.dirname(sys.modules["lisa_py"].__file__ or ""), "__main__.py")
    sys.argv = [program, *_CallServer(own).serve()]
    sys.modules["lisa_py.cli.main"].entry()
