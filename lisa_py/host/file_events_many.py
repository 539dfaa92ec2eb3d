"""Wait for changes of hundreds of sessions with one handle, and report the sessions concerned."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import struct
import time
from collections.abc import Iterable
from typing import Any

from lisa_py.host.file_events import POLL_SECONDS, FileWatcher, read_stamp

_POLLED_AT_ONCE = 50
"""Number of folders that are polled at the shortest interval; the interval grows with more of them."""
_EVENT = struct.Struct("iIII")
_MODIFY, _CLOSE_WRITE, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x8, 0x80, 0x100, 0x200
_DELETE_SELF, _OVERFLOW, _GONE = 0x400, 0x4000, 0x8000
_MASK = _MODIFY | _CLOSE_WRITE | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF
"""Without IN_ATTRIB: touched heartbeats wake no waiter."""


def open_watcher(ignored: Iterable[str] = (), wake_handle: int | None = None) -> GroupWatcher:
    """Return an inotify watcher, or on other systems a watchdog one, which cannot attribute events to members.

    `wake_handle` is one more handle that ends a wait as long as it is readable.
    """
    try:
        return InotifyGroupWatcher(ignored, wake_handle)
    except OSError:
        return _SharedGroupWatcher(ignored, wake_handle)


def open_shared_watcher(ignored: Iterable[str] = (), wake_handle: int | None = None) -> GroupWatcher:
    """Return a watcher for a single member."""
    return _SharedGroupWatcher(ignored, wake_handle)


class GroupWatcher:
    """Members by key, each with the paths and processes whose changes concern it."""

    def follow(self, key: str, paths: Iterable[str], pids: Iterable[int]) -> None:
        """Watch exactly these for the member from now on; a folder covers the files directly in it."""
        raise NotImplementedError

    def wait(self, seconds: float) -> set[str]:
        """Return the members with a change; none at the timeout."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class InotifyGroupWatcher(GroupWatcher):
    """One inotify instance for all: watchdog takes an instance and two threads per folder, and systems give 128.

    (The members' processes are watched by pidfd.)
    """

    def __init__(self, ignored: Iterable[str], wake_handle: int | None) -> None:
        import ctypes  # noqa: PLC0415 - only waiting on a crowd pays for it

        self._ignored = frozenset(ignored)
        self._libc: Any = ctypes.CDLL(None, use_errno=True)
        self._errno = ctypes.get_errno
        if not hasattr(self._libc, "inotify_init1") or not hasattr(select, "epoll"):
            raise OSError("no inotify here")
        self._handle: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._handle < 0:
            raise OSError("no inotify handle left")
        try:
            self._epoll = select.epoll()
        except OSError:
            os.close(self._handle)
            raise
        self._epoll.register(self._handle, select.EPOLLIN)
        if wake_handle is not None:
            self._epoll.register(wake_handle, select.EPOLLIN)
        self._folders: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        self._by_path: dict[str, set[str]] = {}
        self._paths: dict[str, tuple[str, ...]] = {}
        self._process_handles: dict[int, tuple[str, int]] = {}
        """pidfd -> member and pid."""
        self._polled: dict[str, dict[str, tuple[int, float]]] = {}
        """Stamps of the watched paths in each folder for which the system has no inotify watch left."""

    def follow(self, key: str, paths: Iterable[str], pids: Iterable[int]) -> None:
        wanted = tuple(dict.fromkeys(path for path in paths if path))
        if wanted != self._paths.get(key):
            self._remove_member(key)
            self._paths[key] = wanted
            for path in wanted:
                self._by_path.setdefault(path, set()).add(key)
        for path in wanted:
            folder = path if os.path.isdir(path) else os.path.dirname(path)
            self._watch_folder(folder)
            if folder in self._polled:
                self._polled[folder].setdefault(path, read_stamp(path, self._ignored))
        self._watch_processes(key, set(pids))

    def _remove_member(self, key: str) -> None:
        for path in self._paths.get(key, ()):
            members = self._by_path.get(path, set())
            members.discard(key)
            if not members:
                self._by_path.pop(path, None)

    def _watch_folder(self, folder: str) -> None:
        if folder in self._watches:
            return
        number = self._libc.inotify_add_watch(self._handle, os.fsencode(folder), _MASK)
        if number < 0 and self._errno() in (errno.ENOSPC, errno.ENOMEM):
            self._polled.setdefault(folder, {})
        if number >= 0:  # else it does not exist: the caller's timeout covers it
            self._polled.pop(folder, None)
            old = self._folders.get(number)
            if old is None:
                self._folders[number] = folder
            self._watches[folder] = number

    def _watch_processes(self, key: str, pids: set[int]) -> None:
        known = {pid: handle for handle, (owner, pid) in self._process_handles.items() if owner == key}
        for pid in known.keys() - pids:
            self._release(known[pid])
        for pid in pids - known.keys():
            with contextlib.suppress(OSError, AttributeError):
                handle = os.pidfd_open(pid)
                self._process_handles[handle] = (key, pid)
                self._epoll.register(handle, select.EPOLLIN)

    def _release(self, handle: int) -> None:
        self._process_handles.pop(handle, None)
        with contextlib.suppress(OSError):
            self._epoll.unregister(handle)
        with contextlib.suppress(OSError):
            os.close(handle)

    def wait(self, seconds: float) -> set[str]:
        """Return the members with a change; possibly none before the timeout, so the caller repeats."""
        deadline = time.monotonic() + max(0.0, seconds)
        while self._polled:
            pause = POLL_SECONDS * max(1.0, len(self._polled) / _POLLED_AT_ONCE)
            left = deadline - time.monotonic()
            found = self.take_events(min(pause, left)) | self.poll_paths()
            if found or left <= pause:
                return found
        return self.take_events(seconds)

    def poll_paths(self) -> set[str]:
        """Return the members with a change in a folder without a watch."""
        found: set[str] = set()
        for stamps in self._polled.values():
            for path, before in stamps.items():
                now = read_stamp(path, self._ignored)
                if now != before:
                    stamps[path] = now
                    found |= self._by_path.get(path, set())
        return found

    def take_events(self, seconds: float) -> set[str]:
        """Wait for events; return their members."""
        return self.read_ready(self.poll(seconds))

    def poll(self, seconds: float) -> list[int]:
        """Return the handles with events."""
        return [handle for handle, _ in self._epoll.poll(max(0.0, seconds))]

    def read_ready(self, handles: Iterable[int]) -> set[str]:
        """Return the members whose events these handles have."""
        found: set[str] = set()
        for handle in handles:
            if handle == self._handle:
                found |= self._read_events()
            elif handle in self._process_handles:
                found.add(self._process_handles[handle][0])
                self._release(handle)
        return found

    def release_folders(self) -> None:
        """End the watches of folders that no member watches any more."""
        wanted = {path if os.path.isdir(path) else os.path.dirname(path) for path in self._by_path}
        for folder in self._watches.keys() - wanted:
            number = self._watches.pop(folder)
            if number not in self._watches.values():
                self._folders.pop(number, None)
                self._libc.inotify_rm_watch(self._handle, number)
        for folder in self._polled.keys() - wanted:
            del self._polled[folder]

    def _read_events(self) -> set[str]:
        found: set[str] = set()
        while True:
            try:
                raw = os.read(self._handle, 1 << 16)
            except BlockingIOError:
                return found
            at = 0
            while at < len(raw):
                number, mask, _, size = _EVENT.unpack_from(raw, at)
                name = raw[at + _EVENT.size : at + _EVENT.size + size].rstrip(b"\0")
                at += _EVENT.size + size
                found |= self._affected_members(number, mask, os.fsdecode(name))

    def _affected_members(self, number: int, mask: int, name: str) -> set[str]:
        if mask & _OVERFLOW:
            return set(self._paths)
        folder = self._folders.get(number, "")
        if mask & _GONE:
            self._folders.pop(number, None)
            self._watches = {path: watch for path, watch in self._watches.items() if watch != number}
        members = set(self._by_path.get(os.path.join(folder, name), ()))
        if not name or (name not in self._ignored and not name.startswith(".")):
            members |= self._by_path.get(folder, set())
        return members

    def close(self) -> None:
        for handle in list(self._process_handles):
            self._release(handle)
        self._epoll.close()
        with contextlib.suppress(OSError):
            os.close(self._handle)


class _SharedGroupWatcher(GroupWatcher):
    """Watcher that reports every member after any change."""

    def __init__(self, ignored: Iterable[str], wake_handle: int | None) -> None:
        self._watcher = FileWatcher(ignored, wake_handle)
        self._members: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {}

    def follow(self, key: str, paths: Iterable[str], pids: Iterable[int]) -> None:
        self._members[key] = tuple(paths), tuple(pids)
        every = self._members.values()
        self._watcher.watch([path for paths, _ in every for path in paths], [pid for _, pids in every for pid in pids])

    def wait(self, seconds: float) -> set[str]:
        return set(self._members) if self._watcher.wait(seconds) else set()

    def close(self) -> None:
        self._watcher.close()
