"""A request to stop waiting, made by a signal handler or another thread."""

from __future__ import annotations

import _thread
import contextlib
import os
import time
from collections.abc import Iterator


class Cancellation:
    """A request to stop that all waiters of one caller share; it is never taken back."""

    def __init__(self) -> None:
        self._is_set = False
        self._observers = 0
        self._lock = _thread.allocate_lock()  # threading costs half a millisecond
        self._pipe: tuple[int, int] | None = None
        self._pipe_lock = _thread.allocate_lock()
        """Held while the pipe is made, written or closed."""
        self._parts: set[Cancellation] = set()

    def cancel(self) -> None:
        """Wake all waiters; safe in any thread and in a signal handler, so it waits for no lock."""
        self._is_set = True
        self._wake()
        for part in tuple(self._parts):
            part.cancel()

    @contextlib.contextmanager
    def open_part(self) -> Iterator[Cancellation]:
        """Yield a request of its own for one of several calls; this request makes it, too."""
        made = Cancellation()
        self._parts.add(made)
        try:
            if self._is_set:
                made.cancel()
            yield made
        finally:
            self._parts.discard(made)
            made.close()

    @property
    def is_set(self) -> bool:
        return self._is_set

    @property
    def is_observed(self) -> bool:
        """Return True while a waiter checks for the request again and again."""
        return self._observers > 0

    @contextlib.contextmanager
    def observe(self) -> Iterator[None]:
        """Declare that the block checks for the request again and again."""
        self.add_observer()
        try:
            yield
        finally:
            self.remove_observer()

    def add_observer(self) -> None:
        with self._lock:
            self._observers += 1

    def remove_observer(self) -> None:
        with self._lock:
            self._observers -= 1

    def fileno(self) -> int:
        """Return a handle that is readable from the request on."""
        with self._pipe_lock:
            if self._pipe is None:
                reader, writer = os.pipe()
                os.set_blocking(writer, False)
                self._pipe = reader, writer
            found = self._pipe[0]
        if self._is_set:  # perhaps set before there was a pipe
            self._wake()
        return found

    def _wake(self) -> None:
        # the holder of the lock makes the pipe and reads the request afterwards, or writes, or needs no pipe any more
        if not self._pipe_lock.acquire(blocking=False):
            return
        try:
            if self._pipe is not None:
                with contextlib.suppress(BlockingIOError):
                    os.write(self._pipe[1], b"!")  # it is never read, so every waiter sees it
        finally:
            self._pipe_lock.release()

    def close(self) -> None:
        """Close the handle after the last wait: an object in a circle of references is collected late."""
        with self._pipe_lock:
            pipe, self._pipe = self._pipe, None
            for handle in pipe or ():
                os.close(handle)

    def wait(self, seconds: float) -> bool:
        """Return True as soon as the request is made, False after the seconds."""
        import select  # noqa: PLC0415 - only a wait needs it

        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        deadline = time.monotonic() + seconds
        while not self._is_set and (left := deadline - time.monotonic()) > 0:
            poll.poll(left * 1000)
        return self._is_set

    def __del__(self) -> None:
        self.close()
