"""A warm start for the program: one process that has loaded it forks every call, where a cold one loads it anew.

Each call still is a process of its own, with its own arguments, environment, folder, streams and exit status; only the
interpreter's start and the imports are shared. What users run is the cold start: `tests/run --agents` has nothing else.
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
_KILLED_WITHIN_SECONDS = 20
SHARED = {
    "LANG": "C.UTF-8",
    **({"PYTHONPYCACHEPREFIX": sys.pycache_prefix} if sys.pycache_prefix else {"PYTHONDONTWRITEBYTECODE": "1"}),
}
"""What the interpreter itself reads when it starts, and the loaded process has read for all; the tree stays clean."""
_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "DYLD_")


def suits(env: Mapping[str, str]) -> bool:
    """Whether a call in this environment starts as the loaded process did."""
    return {name: value for name, value in env.items() if name.startswith(_READ_AT_START)} == SHARED


class WarmStart:
    """The loaded process, seen from the tests. It starts with the first call, and ends, with all that it runs, when
    this process ends or closes it."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def _started(self) -> socket.socket:
        if self._line is None:
            self._line, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "tests.warm_start"], stdin=theirs, stdout=subprocess.DEVNULL,
                    env={**SHARED, "PATH": os.environ.get("PATH", os.defpath)},
                )  # fmt: skip
        return self._line

    def close(self) -> None:
        if self._line is not None and self._process is not None:
            self._line.close()
            self._process.wait()

    def run(
        self, words: Sequence[str], *, cwd: str, env: Mapping[str, str], data: bytes | None, timeout: float
    ) -> tuple[int, bytes, bytes]:
        """Exit code (negative: the signal), stdout and stderr of one call. Raises subprocess.TimeoutExpired."""
        until = time.monotonic() + timeout
        with contextlib.ExitStack() as ours:
            with contextlib.ExitStack() as theirs:
                call, their_call = socket.socketpair()
                ours.enter_context(call)
                theirs.enter_context(their_call)
                their_input, feed = _input(data, ours, theirs)
                (out, their_out), (err, their_err) = (_output(ours, theirs) for _ in range(2))
                self._hand_over(words, cwd, env, [their_input, their_out, their_err, their_call.fileno()])
            said, warned = bytearray(), bytearray()
            try:
                _converse({out: said, err: warned}, feed, data or b"", until)
                call.settimeout(max(0.0, until - time.monotonic()))
                status = call.recv(16)
            except TimeoutError:
                call.shutdown(socket.SHUT_WR)  # which has it killed
                call.settimeout(_KILLED_WITHIN_SECONDS)
                call.recv(16)
                raise subprocess.TimeoutExpired(list(words), timeout, bytes(said), bytes(warned)) from None
        if not status:
            raise RuntimeError("the warm start has ended; its own words are on the standard error of the tests")
        return int(status), bytes(said), bytes(warned)

    def _hand_over(self, words: Sequence[str], cwd: str, env: Mapping[str, str], streams: list[int]) -> None:
        text = json.dumps([list(words), cwd, dict(env)]).encode()  # strange bytes travel as lone surrogates
        with self._one_at_a_time:
            line = self._started()
            socket.send_fds(line, [len(text).to_bytes(_LENGTH_BYTES, "big")], streams)
            line.sendall(text)


def _output(ours: contextlib.ExitStack, theirs: contextlib.ExitStack) -> tuple[int, int]:
    read, write = os.pipe()
    ours.callback(os.close, read)
    theirs.callback(os.close, write)
    return read, write


def _input(
    data: bytes | None, ours: contextlib.ExitStack, theirs: contextlib.ExitStack
) -> tuple[int, io.FileIO | None]:
    """What the call reads from, and where that is written to."""
    if data is None:
        read, feed = os.open(os.devnull, os.O_RDONLY), None
    else:
        read, write = os.pipe()
        os.set_blocking(write, False)
        feed = ours.enter_context(io.FileIO(write, "w"))
    theirs.callback(os.close, read)
    return read, feed


def _converse(heard: Mapping[int, bytearray], feed: io.FileIO | None, data: bytes, until: float) -> None:
    """Write what the call is to read, read what it writes until both streams are closed. Raises TimeoutError."""
    with selectors.DefaultSelector() as waiting:
        for stream in heard:
            waiting.register(stream, selectors.EVENT_READ)
        if feed is not None:
            waiting.register(feed, selectors.EVENT_WRITE)
        while waiting.get_map():
            ready = [key.fileobj for key, _ in waiting.select(max(0.0, until - time.monotonic()))]
            if not ready and time.monotonic() >= until:
                raise TimeoutError
            for stream in ready:
                if isinstance(stream, io.FileIO):
                    data = data[_written(stream, data) :]
                    done = not data
                else:
                    heard[stream].extend(part := os.read(stream, 65536))
                    done = not part
                if done:
                    waiting.unregister(stream)
                if done and isinstance(stream, io.FileIO):
                    stream.close()


def _written(feed: io.FileIO, data: bytes) -> int:
    """How many bytes are dealt with: all of them when nobody reads."""
    try:
        return feed.write(data) or 0
    except BrokenPipeError:
        return len(data)


# -- the loaded process ---------------------------------------------------------------------------------------------


class _Calls:
    """Receives calls, forks, tells how each ended."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._running: dict[int, socket.socket] = {}
        self._woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, and for the calls
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)

    def serve(self) -> list[str]:
        """The words of a call, in the process that is to run it; the serving process never returns."""
        while True:
            ready, _, _ = select.select([self._line, self._woken, *self._running.values()], [], [])
            if self._woken in ready:
                os.read(self._woken, 4096)
            self._reap()
            for pid, call in list(self._running.items()):
                if call in ready and not call.recv(1):
                    os.kill(pid, signal.SIGKILL)  # not reaped yet, so it still is this one
            if self._line in ready and (words := self._accept()) is not None:
                return words

    def _reap(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with self._running.pop(pid) as call, contextlib.suppress(OSError):
                call.send(str(os.waitstatus_to_exitcode(status)).encode())

    def _accept(self) -> list[str] | None:
        head, streams, _, _ = socket.recv_fds(self._line, _LENGTH_BYTES, 4)
        if not head:
            self._end()
        text = bytearray()
        while missing := int.from_bytes(head, "big") - len(text):
            text += self._line.recv(missing)
        pid = os.fork()
        if not pid:
            return _become(*json.loads(text), streams[:3])
        self._running[pid] = socket.socket(fileno=streams[3])
        for stream in streams[:3]:
            os.close(stream)
        return None

    def _end(self) -> None:
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)


def _become(words: list[str], cwd: str, env: dict[str, str], streams: Sequence[int]) -> list[str]:
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
    sys.stdin, sys.stdout, sys.stderr = (_stream(*of) for of in enumerate((sys.stdin, sys.stdout, sys.stderr)))
    return words


def _stream(number: int, like: io.TextIOWrapper) -> io.TextIOWrapper:
    """A standard stream as the interpreter makes it, with nothing in its buffers."""
    raw = open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115 - it lives as long as the process
    return io.TextIOWrapper(raw, encoding=like.encoding, errors=like.errors, line_buffering=number == 2)


def load() -> None:
    """Import every module of the program that a call can need; nothing of it runs."""
    import lisa_py

    for module in pkgutil.walk_packages(lisa_py.__path__, "lisa_py."):
        if not module.name.startswith(("lisa_py.pane", "lisa_py.cli.boot", "lisa_py.__main__")):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()  # so that a call's collector leaves the shared pages alone


if __name__ == "__main__":
    own = socket.socket(fileno=os.dup(0))
    load()
    program = os.path.join(os.path.dirname(sys.modules["lisa_py"].__file__ or ""), "__main__.py")
    sys.argv = [program, *_Calls(own).serve()]
    sys.modules["lisa_py.cli.main"].entry()
