"""One inotify instance and one thread for all waiting threads of a process: systems give 128 instances to a user."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Iterable
from itertools import count

from lisa_py.host.file_events_many import GroupWatcher, InotifyGroupWatcher, open_portable_watcher

_WAIT_SECONDS = 3600.0


class EventHub:
    """The events of all members of a process, each handed to the thread that waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watcher: _LockedWatcher | None = None
        self._numbers = count()
        self._handles: dict[str, int] = {}
        """Handle by member, readable after a change."""

    def open(self, ignored: Iterable[str] = (), wake_handle: int | None = None) -> GroupWatcher:
        """Return a watcher for one thread; all of one hub ignore the same files."""
        try:
            with self._lock:
                if self._watcher is None:
                    self._watcher = _LockedWatcher(ignored, self._lock)
                    threading.Thread(
                        target=self._hand_out, args=(self._watcher,), name="file events", daemon=True
                    ).start()
                return _HubMember(self, f"{next(self._numbers)}.", wake_handle)
        except NotImplementedError:
            return open_portable_watcher(ignored, wake_handle)

    def follow(self, member: str, handle: int, paths: Iterable[str], pids: Iterable[int]) -> None:
        """Watch exactly these for a member."""
        with self._lock:
            assert self._watcher is not None
            self._handles[member] = handle
            self._watcher.follow(member, paths, pids)
            self._watcher.wake_if_needed()

    def forget(self, members: Iterable[str]) -> None:
        with self._lock:
            assert self._watcher is not None
            for member in members:
                self._handles.pop(member, None)
                self._watcher.follow(member, (), ())

    def _hand_out(self, watcher: _LockedWatcher) -> None:
        while True:
            found = watcher.wait(_WAIT_SECONDS)
            with self._lock:
                for member in found:
                    if member in self._handles:
                        with contextlib.suppress(OSError):
                            os.eventfd_write(self._handles[member], 1)


class _LockedWatcher(InotifyGroupWatcher):
    """The watcher of the hub: it waits without the lock, and reads events with it."""

    def __init__(self, ignored: Iterable[str], lock: threading.Lock) -> None:
        super().__init__(ignored, None)
        self._lock = lock
        self._woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._woken, select.EPOLLIN)

    def wake_if_needed(self) -> None:
        """End the present wait if there is something that the system does not report."""
        if self._ended or self._polled:
            os.eventfd_write(self._woken, 1)

    def take_events(self, seconds: float) -> set[str]:
        ready = self.poll(seconds)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._woken)
        with self._lock:
            return self.read_ready(ready)

    def poll_paths(self) -> set[str]:
        with self._lock:
            return super().poll_paths()


class _HubMember(GroupWatcher):
    """The watcher of one thread."""

    def __init__(self, hub: EventHub, prefix: str, wake_handle: int | None) -> None:
        self._hub = hub
        self._prefix = prefix
        self._changed = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        for handle in (self._changed, *(() if wake_handle is None else (wake_handle,))):
            self._poll.register(handle, select.POLLIN)
        self._keys: set[str] = set()

    def follow(self, key: str, paths: Iterable[str], pids: Iterable[int]) -> None:
        self._keys.add(key)
        self._hub.follow(self._prefix + key, self._changed, paths, pids)

    def wait(self, seconds: float) -> set[str]:
        self._poll.poll(max(0.0, seconds) * 1000)
        try:
            os.eventfd_read(self._changed)
        except BlockingIOError:
            return set()
        return set(self._keys)

    def close(self) -> None:
        self._hub.forget(self._prefix + key for key in self._keys)
        os.close(self._changed)


HUB = EventHub()
"""The hub of this process."""
