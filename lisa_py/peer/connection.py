"""Serve one reader: run its requests at the same time, each in a thread, until it goes away."""

from __future__ import annotations

import os
import select
import threading
import time

from msgspec import UNSET

from lisa_py.contract.errors import LisaError
from lisa_py.contract.peer import MAX_LINE_BYTES, PeerMessage, PeerRequest, RequestId
from lisa_py.host.cancellation import Cancellation
from lisa_py.host.env import Settings
from lisa_py.peer import protocol
from lisa_py.peer.request_run import RequestRun

MAX_RUNNING = 64
"""Requests that run at the same time; a wait takes one place."""
END_SECONDS = 5.0
"""Time for all cancelled requests to end."""
_READ_BYTES = 1 << 16


class PeerConnection:
    """The requests of one reader on two handles."""

    def __init__(self, settings: Settings, cwd: str, source: int, sink: int) -> None:
        self._settings = settings
        self._cwd = cwd
        self._source = source
        self._sink = sink
        self._writing = threading.Lock()
        self._lock = threading.Lock()
        self._delivering = threading.Lock()
        """Held from an answer until its positions are kept."""
        self._running: dict[RequestId, Cancellation] = {}
        self._unfinished: set[threading.Thread] = set()
        """Threads whose answer may not be written yet."""
        self._count = 0
        self._is_reader_gone = False
        self._wake_out, self._wake_in = os.pipe()

    def serve(self) -> None:
        """Answer requests until the input ends and all are answered, or the reader of the output has left."""
        try:
            self._read_requests()
        finally:
            self._cancel_all()
            with self._lock:  # no request writes to them any more
                os.close(self._wake_in)
                os.close(self._wake_out)

    def stop(self) -> None:
        """End `serve` and all requests; safe in a signal handler."""
        if not self._is_reader_gone:
            self._is_reader_gone = True
            os.write(self._wake_in, b"!")

    # -- reading -----------------------------------------------------------------------------------------------

    def _read_requests(self) -> None:
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        poll.register(self._sink, 0)  # reports that its reader has gone
        poll.register(self._wake_out, select.POLLIN)
        pending, is_open, is_skipping = b"", True, False
        while not self._is_reader_gone and (is_open or self._unfinished):
            ready = dict(poll.poll())
            if ready.get(self._sink, 0) & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
                return
            if self._wake_out in ready:
                os.read(self._wake_out, _READ_BYTES)
            if self._source not in ready:
                continue
            read = os.read(self._source, _READ_BYTES)
            if not read:
                is_open = False
                poll.unregister(self._source)
                read = b"\n" if pending else b""
            *lines, pending = (pending + read).split(b"\n")
            for line in lines:
                if not is_skipping:
                    self._accept(line)
                is_skipping = False
            if len(pending) > MAX_LINE_BYTES:
                if not is_skipping:
                    self._refuse_long(pending)
                pending, is_skipping = b"", True

    def _accept(self, line: bytes) -> None:
        if not line.strip():
            return
        if len(line) > MAX_LINE_BYTES:
            self._refuse_long(line)
            return
        try:
            request = protocol.parse_request(line)
        except LisaError as problem:
            self._write(protocol.build_error(protocol.read_id(line), problem))
            return
        if request.cancel is not None:
            self._cancel(request.cancel)
        if request.command:
            self._start(request)

    def _cancel(self, request_id: RequestId) -> None:
        with self._lock:
            cancellation = self._running.get(request_id)
        if cancellation is not None:  # else its answer is written already
            cancellation.cancel()

    def _start(self, request: PeerRequest) -> None:
        self._count += 1
        request_id = request.id if request.id is not None else self._count
        cancellation = Cancellation()
        thread = threading.Thread(target=self._run, args=(request, request_id, cancellation), daemon=True)
        with self._lock:
            refused = "the id is that of a running request" if request_id in self._running else ""
            if len(self._running) >= MAX_RUNNING:
                refused = f"{MAX_RUNNING} requests are running"
            if not refused:
                self._running[request_id] = cancellation
                self._unfinished.add(thread)
        if refused:
            self._refuse(request_id, "too_many_requests", f"the request was not started: {refused}")
            return
        thread.start()

    # -- running -----------------------------------------------------------------------------------------------

    def _run(self, request: PeerRequest, request_id: RequestId, cancellation: Cancellation) -> None:
        def write(message: PeerMessage) -> bool:
            if message.exit_code is not UNSET:
                with self._lock:
                    del self._running[request_id]  # the reader may use the id again once it has the answer
            self._write(message)
            return not self._is_reader_gone

        try:
            with self._delivering:
                pass  # the reader may continue from the positions of an answer that it has just read
            RequestRun(
                self._settings, request, request_id,
                cwd=self._cwd, cancellation=cancellation, write=write, delivery=self._delivering,
            ).run()  # fmt: skip
        finally:
            cancellation.close()
            with self._lock:
                self._unfinished.discard(threading.current_thread())
                if not self._is_reader_gone:
                    os.write(self._wake_in, b"!")

    # -- writing -----------------------------------------------------------------------------------------------

    def _refuse_long(self, line: bytes) -> None:
        text = f"the request has over {MAX_LINE_BYTES} bytes"
        self._refuse(protocol.read_id(line), "request_too_large", text)

    def _refuse(self, request_id: RequestId, code: str, text: str) -> None:
        self._write(protocol.build_error(request_id, LisaError(code, text)))

    def _write(self, message: PeerMessage) -> None:
        """Write one line; a reader that is gone ends everything."""
        line = protocol.encode_message(message)
        with self._writing:
            try:
                while line and not self._is_reader_gone:
                    line = line[os.write(self._sink, line) :]
            except OSError:  # closed pipe, full disk: no further answer arrives
                self.stop()

    def _cancel_all(self) -> None:
        """Cancel the requests that still run and wait for their end."""
        self._is_reader_gone = True
        with self._lock:
            running, unfinished = list(self._running.values()), list(self._unfinished)
        for cancellation in running:
            cancellation.cancel()
        deadline = time.monotonic() + END_SECONDS
        for thread in unfinished:
            thread.join(max(0.0, deadline - time.monotonic()))
