"""Wait for handles, and end the wait of another thread, again and again."""

from __future__ import annotations

import contextlib
import math
import os
import select
from collections.abc import Collection, Iterable


def wait_for_handles(
    reads: Iterable[int], writes: Collection[int] = (), seconds: float | None = None
) -> tuple[set[int], set[int]]:
    """Return the handles that can be read and those that can be written; none at the timeout.

    `select.select` takes no handle above 1023, which a server with many sessions has.
    """
    poller = select.poll()
    for handle in reads:
        poller.register(handle, select.POLLIN)
    for handle in writes:
        poller.register(handle, select.POLLOUT)
    ready = {handle for handle, _ in poller.poll(None if seconds is None else math.ceil(seconds * 1000))}
    return ready - set(writes), ready & set(writes)


class Wakeup:
    """A request to look again: made by any thread, taken by the one that waits."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        for handle in (self._reader, self._writer):
            os.set_blocking(handle, False)

    def fileno(self) -> int:
        """Return a handle that is readable while a request waits."""
        return self._reader

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: enough requests wait
            os.write(self._writer, b"!")

    def take(self) -> bool:
        """Return True if a request waits; all of them are answered by that."""
        try:
            return bool(os.read(self._reader, 4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)
