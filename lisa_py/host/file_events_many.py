"""Wait for changes of one or hundreds of sessions with one handle, and report the sessions concerned."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import struct
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from msgspec import Struct, field

from lisa_py.host.file_events import POLL_SECONDS, FileWatcher, read_stamp
from lisa_py.host.limits import leaves_spare_handles

_POLLED_AT_ONCE = 50
"""Number of paths that are polled at the shortest interval; the interval grows with more of them."""
_EVENT = struct.Struct("iIII")
_MODIFY, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x8, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _OVERFLOW, _GONE, _IS_FOLDER = 0x400, 0x800, 0x4000, 0x8000, 0x40000000
_MASK = _MODIFY | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
"""Without IN_ATTRIB: touched heartbeats wake no waiter."""
_PLACE_ATTEMPTS = 5
_idle_instances: list[tuple[int, int]] = []
"""Inotify instance kept for the next watcher, with its process: the kernel (6.18) takes 16 ms to close one."""


def open_watcher(ignored: Iterable[str] = (), wake_handle: int | None = None) -> GroupWatcher:
    """Return an inotify watcher, or on other systems a watchdog one, which cannot attribute events to members.

    `wake_handle` is one more handle that ends a wait as long as it is readable.
    """
    try:
        return InotifyGroupWatcher(ignored, wake_handle)
    except NotImplementedError:
        return open_portable_watcher(ignored, wake_handle)


def open_portable_watcher(ignored: Iterable[str] = (), wake_handle: int | None = None) -> GroupWatcher:
    """Return a watcher for any system."""
    return _PortableGroupWatcher(ignored, wake_handle)


class GroupWatcher:
    """Members by key, each with the paths and processes whose changes concern it."""

    def follow(self, key: str, paths: Iterable[str], pids: Iterable[int]) -> None:
        """Watch exactly these for the member from now on; a folder covers the files directly in it.

        What does not exist yet may come into being. Reading a watched file is not an event.
        """
        raise NotImplementedError

    def wait(self, seconds: float) -> set[str]:
        """Return the members with a change; possibly none before the timeout, so the caller repeats."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class _Followed(Struct):
    """The paths and processes of one member."""

    wanted: tuple[str, ...] = ()
    paths: frozenset[str] = frozenset()
    """The same without symbolic links."""
    folders: frozenset[str] = frozenset()
    """Existing folders in which its changes appear."""
    missing: frozenset[str] = frozenset()
    """Folders on its paths that do not exist yet."""
    stamps: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Size and time of the paths for which the system gives no watch."""
    handles: dict[int, int] = field(default_factory=dict)
    """pidfd by process; -1 for one that has ended or has none."""


class InotifyGroupWatcher(GroupWatcher):
    """One inotify instance for all: watchdog takes an instance and two threads per folder, and systems give 128.

    Processes are watched by pidfd. Without an instance or a watch left, files are polled.
    """

    def __init__(self, ignored: Iterable[str], wake_handle: int | None) -> None:
        """Raise NotImplementedError on a system without inotify, OSError without a file handle left."""
        self._ignored = frozenset(ignored)
        self._libc, self._errno = _load_libc()
        if not hasattr(self._libc, "inotify_init1") or not hasattr(select, "epoll"):
            raise NotImplementedError
        self._epoll = select.epoll()
        self._handle: int = _take_idle_instance()
        if self._handle < 0:
            self._handle = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        """-1 if the user has no instance left."""
        for handle in (self._handle, -1 if wake_handle is None else wake_handle):
            if handle >= 0:
                self._epoll.register(handle, select.EPOLLIN)
        self._members: dict[str, _Followed] = {}
        self._by_path: dict[str, set[str]] = {}
        """Members by each of their paths."""
        self._by_missing: dict[str, set[str]] = {}
        """Members by each missing folder on their paths."""
        self._users: dict[str, set[str]] = {}
        """Members by each watched folder."""
        self._watches: dict[str, int] = {}
        self._folders: dict[int, str] = {}
        self._processes: dict[int, tuple[str, int]] = {}
        """pidfd -> member and pid."""
        self._stale: set[str] = set()
        """Members whose folders have come or gone."""
        self._ended: set[str] = set()
        """Members with a process that had ended before it could be watched."""
        self._polled: set[str] = set()
        """Members with stamps."""

    def follow(self, key: str, paths: Iterable[str], pids: Iterable[int]) -> None:
        member = self._members.setdefault(key, _Followed())
        wanted = tuple(dict.fromkeys(path for path in paths if path))
        if wanted != member.wanted or key in self._stale:
            member.wanted = wanted
            self._place(key, member)
        self._watch_processes(key, member, frozenset(pids))
        if not member.wanted and not member.handles:
            del self._members[key]
            self._ended.discard(key)

    # -- files -------------------------------------------------------------------------------------------------

    def _place(self, key: str, member: _Followed) -> None:
        """Watch the folders in which the changes of a member appear now."""
        self._stale.discard(key)
        before = member.folders
        for _ in range(_PLACE_ATTEMPTS):
            paths, folders, missing = _find_places(member.wanted)
            _reindex(self._by_path, key, member.paths, paths)
            _reindex(self._by_missing, key, member.missing, missing)
            member.paths, member.missing = paths, missing
            unwatched = {folder for folder in folders if not self._watch_folder(folder)}
            if _find_places(member.wanted) == (paths, folders, missing):  # nothing has come or gone before the watch
                break
        _reindex(self._users, key, before, folders)
        member.folders = folders
        for folder in before - folders:
            self._release_folder(folder)
        polled = [path for path in paths if any(_is_inside(path, folder) for folder in unwatched)]
        member.stamps = {path: read_stamp(path, self._ignored) for path in polled}
        (self._polled.add if polled else self._polled.discard)(key)

    def _watch_folder(self, folder: str) -> bool:
        """Return False if the system gives no watch."""
        if folder in self._watches:
            return True
        if self._handle < 0:
            return False
        number = self._libc.inotify_add_watch(self._handle, os.fsencode(folder), _MASK)
        if number < 0:
            return self._errno() not in (errno.ENOSPC, errno.ENOMEM, errno.EACCES)
        self._folders.setdefault(number, folder)
        self._watches[folder] = number
        return True

    def _release_folder(self, folder: str) -> None:
        if folder not in self._users and folder in self._watches:
            number = self._watches.pop(folder)
            if self._folders.get(number) == folder:
                del self._folders[number]
                self._libc.inotify_rm_watch(self._handle, number)

    # -- processes ---------------------------------------------------------------------------------------------

    def _watch_processes(self, key: str, member: _Followed, pids: frozenset[int]) -> None:
        for pid in member.handles.keys() - pids:
            self._release(member.handles.pop(pid))
        for pid in pids - member.handles.keys():
            member.handles[pid] = self._watch_process(key, pid)

    def _watch_process(self, key: str, pid: int) -> int:
        """Return a pidfd; -1 if the process has ended, or without one: then the caller's timeout covers it."""
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self._ended.add(key)
            return -1
        except (OSError, AttributeError):
            return -1
        if not leaves_spare_handles(handle):
            os.close(handle)
            return -1
        self._processes[handle] = (key, pid)
        self._epoll.register(handle, select.EPOLLIN)
        return handle

    def _release(self, handle: int) -> None:
        if self._processes.pop(handle, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(handle)
            os.close(handle)

    # -- waiting -----------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> set[str]:
        deadline = time.monotonic() + max(0.0, seconds)
        while True:
            left = 0.0 if self._ended else max(0.0, deadline - time.monotonic())
            pause = min(left, self._poll_interval) if self._polled else left
            found = self.take_events(pause) | self.poll_paths()
            if found or left <= pause:
                return found

    @property
    def _poll_interval(self) -> float:
        return POLL_SECONDS * max(1.0, len(self._polled) / _POLLED_AT_ONCE)

    def poll_paths(self) -> set[str]:
        """Return the members with a change that the system does not report."""
        found, self._ended = self._ended, set()
        for key in tuple(self._polled):
            member = self._members[key]
            if any(read_stamp(path, self._ignored) != stamp for path, stamp in member.stamps.items()):
                found.add(key)
                self._place(key, member)
        return found

    def take_events(self, seconds: float) -> set[str]:
        """Wait for events; return their members."""
        return self.read_ready(self.poll(seconds))

    def poll(self, seconds: float) -> list[int]:
        """Return the handles with events."""
        return [handle for handle, _ in self._epoll.poll(seconds)]

    def read_ready(self, handles: Iterable[int]) -> set[str]:
        """Return the members whose events these handles have."""
        found: set[str] = set()
        for handle in handles:
            if handle == self._handle:
                found |= self._read_events()
            elif handle in self._processes:
                key, pid = self._processes[handle]
                self._members[key].handles[pid] = -1
                self._release(handle)
                found.add(key)
        for key in tuple(self._stale):
            self._place(key, self._members[key])
        return found

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
            self._stale |= self._members.keys()
            return set(self._members)
        folder = self._folders.get(number)
        if folder is None:
            return set()
        if mask & (_GONE | _MOVE_SELF):
            self._forget_watch(number, is_moved=bool(mask & _MOVE_SELF))
        path = os.path.join(folder, name) if name else folder
        members = set(self._by_path.get(path, ()))
        if mask & _IS_FOLDER:
            members |= self._by_missing.get(path, set())
            self._stale |= members
        if name and name not in self._ignored and not name.startswith("."):
            members |= self._by_path.get(folder, set())
        return members

    def _forget_watch(self, number: int, *, is_moved: bool) -> None:
        """Note that the system has ended a watch, or that its folder has another name now."""
        if is_moved:
            self._libc.inotify_rm_watch(self._handle, number)
        self._folders.pop(number, None)
        for folder in [folder for folder, watch in self._watches.items() if watch == number]:
            del self._watches[folder]
            self._stale |= self._users.get(folder, set())

    def close(self) -> None:
        for handle in list(self._processes):
            self._release(handle)
        self._epoll.close()
        for number in self._folders:
            self._libc.inotify_rm_watch(self._handle, number)
        self._folders = {}
        if self._handle >= 0:
            _keep_instance(self._handle)
            self._handle = -1


@cache
def _load_libc() -> tuple[Any, Callable[[], int]]:
    """Return the C library and the reader of its error number; each loaded one is a circle of references."""
    import ctypes  # noqa: PLC0415 - only waiting commands pay for it

    return ctypes.CDLL(None, use_errno=True), ctypes.get_errno


def _take_idle_instance() -> int:
    """Return the instance of an earlier watcher without its events; -1 if there is none."""
    while _idle_instances:
        process, handle = _idle_instances.pop()
        if process == os.getpid():  # else a parent's, which its other children have, too
            with contextlib.suppress(BlockingIOError):
                while os.read(handle, 1 << 16):
                    pass
            return handle
    return -1


def _keep_instance(handle: int) -> None:
    if _idle_instances:
        os.close(handle)
    else:
        _idle_instances.append((os.getpid(), handle))


def _find_places(wanted: Iterable[str]) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the paths without symbolic links, the folders to watch for them, and the missing folders."""
    paths = frozenset(map(os.path.realpath, wanted))
    folders, missing = set(), set()
    for path in paths:
        folder = path if os.path.isdir(path) else os.path.dirname(path)
        while not os.path.isdir(folder):
            missing.add(folder)
            folder = os.path.dirname(folder)
        folders.add(folder)
    return paths, frozenset(folders), frozenset(missing)


def _reindex(index: dict[str, set[str]], key: str, before: frozenset[str], now: frozenset[str]) -> None:
    for path in before - now:
        index[path].discard(key)
        if not index[path]:
            del index[path]
    for path in now - before:
        index.setdefault(path, set()).add(key)


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


class _PortableGroupWatcher(GroupWatcher):
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
