"""Waiting for something to happen to a session: wakes in milliseconds, costs nothing meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from lisa_py.core.context import Context
from lisa_py.host.clock import Clock
from lisa_py.host.file_events import FileWatcher

IGNORED_FILES = ("heartbeat", "events.jsonl", "output.txt")
"""Files of a session's folder whose change says nothing about the agent."""


PAUSE_FACTOR = 3
"""A burst of events costs at most one part in this many plus one: so much longer than the last look took is rested."""
MAX_PAUSE_SECONDS = 1.0


class ReadThrottle:
    """Keeps a storm of events from becoming a storm of looks; the first event after a calm is met at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = self._ended = clock.monotonic()

    def finish_read(self) -> float:
        """The look is done; answers the time."""
        self._ended = self._clock.monotonic()
        return self._ended

    def pause(self) -> None:
        """After an event: wait until the look before it has been paid for."""
        due = self._ended + min(MAX_PAUSE_SECONDS, PAUSE_FACTOR * (self._ended - self._began))
        self._clock.sleep(max(0.0, due - self._clock.monotonic()))


class Waiter:
    """Wakes on changes of files and folders and on the end of processes."""

    def __init__(self, ctx: Context, paths: Iterable[str] = (), pids: Iterable[int] = ()) -> None:
        self._ctx = ctx
        self._watcher = FileWatcher(IGNORED_FILES)
        self._watcher.watch(paths, pids)

    def watch(self, paths: Iterable[str], pids: Iterable[int]) -> None:
        """Wait for these from now on (a conversation may get another file, a pane another process)."""
        self._watcher.watch(paths, pids)

    def wait(self, timeout_seconds: float) -> bool:
        """True when something happened, false at the end of the time."""
        return self._watcher.wait(timeout_seconds)

    def close(self) -> None:
        self._watcher.close()

    def __enter__(self) -> Waiter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()
