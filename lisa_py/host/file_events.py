"""Wait for changes of files (watchdog) and ends of processes (pidfd or kqueue)."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import time
from collections.abc import Container, Iterable
from typing import Any

from lisa_py.host.wakeup import wait_for_handles

POLL_SECONDS = 0.1
"""Interval of reads on file systems without events."""


class FileWatcher:
    """A set of files, folders and processes behind one handle that is readable after any change.

    A folder means the files directly in it. What does not exist yet may come into being. Reading a watched file is
    not an event, so a reader does not wake itself.
    """

    def __init__(self, ignored: Iterable[str] = (), wake_handle: int | None = None) -> None:
        """`wake_handle` is one more handle that ends a wait as long as it is readable."""
        self._wake_handles = () if wake_handle is None else (wake_handle,)
        self._ignored = frozenset(ignored)
        self._paths: tuple[str, ...] = ()
        self._files: frozenset[str] = frozenset()
        self._folders: frozenset[str] = frozenset()
        self._missing_folders: frozenset[str] = frozenset()
        """Missing folders on the path of a watched file."""
        self._watches: dict[str, Any] = {}
        self._observer: Any = None
        self._handler: Any = None
        self._stale = False
        self._polled: dict[str, tuple[int, float]] = {}
        """Files that are read at intervals, with their last size and time."""
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        self._process_exits = _ProcessExits()

    def watch(self, paths: Iterable[str], pids: Iterable[int]) -> None:
        """Watch exactly these from now on; cheap if little has changed."""
        wanted = tuple(dict.fromkeys(path for path in paths if path))
        if wanted != self._paths or self._stale:
            self._paths = wanted
            self._update_watches()
        self._process_exits.watch(frozenset(pids))

    def wait(self, seconds: float) -> bool:
        """Return True after a change, False at the timeout."""
        deadline = time.monotonic() + max(0.0, seconds)
        while True:
            if self._stale:
                self._update_watches()
            left = max(0.0, deadline - time.monotonic())
            pause = min(left, POLL_SECONDS) if self._polled else left
            if self._process_exits.take_new_exit() or self._select(pause) or self._poll_files():
                return True
            if left <= pause:
                return False

    def close(self) -> None:
        """Stop watching and close all handles."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(2)
            self._observer = None
        self._process_exits.close()
        for handle in (self._wake_reader, self._wake_writer):
            with contextlib.suppress(OSError):
                os.close(handle)

    # -- waiting ------------------------------------------------------------------------------------------------

    def _select(self, seconds: float) -> bool:
        handles = [self._wake_reader, *self._wake_handles, *self._process_exits.handles()]
        ready, _ = wait_for_handles(handles, seconds=seconds)
        if self._wake_reader in ready:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._wake_reader, 4096):
                    pass
        woken = any(handle in ready for handle in (self._wake_reader, *self._wake_handles))
        return bool(ready) and (woken or self._process_exits.take_new_exit())

    def _poll_files(self) -> bool:
        changed = False
        for path, before in self._polled.items():
            now = read_stamp(path, self._ignored)
            if now != before:
                self._polled[path] = now
                changed = True
        return changed

    # -- watching -----------------------------------------------------------------------------------------------

    def _update_watches(self) -> None:
        self._stale = False
        needed, watched_files, folders, missing_folders = set(), set(), set(), set()
        for path in map(os.path.realpath, self._paths):
            if os.path.isdir(path):
                folders.add(path)
                needed.add(path)
                continue
            watched_files.add(path)
            folder = os.path.dirname(path)
            while not os.path.isdir(folder):
                missing_folders.add(folder)
                folder = os.path.dirname(folder)
            needed.add(folder)
        self._files, self._folders, self._missing_folders = (
            frozenset(watched_files),
            frozenset(folders),
            frozenset(missing_folders),
        )
        self._polled = {}
        for folder in set(self._watches) - needed:
            self._observer.unschedule(self._watches.pop(folder))
        for folder in needed - set(self._watches):
            if not self._schedule(folder):
                polled_paths = [
                    path for path in (*watched_files, *folders) if path == folder or path.startswith(folder + "/")
                ]
                self._polled.update((path, read_stamp(path, self._ignored)) for path in polled_paths)

    def _schedule(self, folder: str) -> bool:
        import logging  # noqa: PLC0415 - loaded by watchdog anyway

        from watchdog import events  # noqa: PLC0415 - 70 ms that only waiting commands pay

        # watchdog 7.1 writes a warning to stderr if its emitter is stopped during an event
        logging.getLogger("watchdog").addHandler(logging.NullHandler())
        kinds: list[type[events.FileSystemEvent]] = [
            events.FileClosedEvent,
            events.FileMovedEvent,
            events.FileModifiedEvent,
            events.FileCreatedEvent,
            events.FileDeletedEvent,
            events.DirCreatedEvent,
            events.DirMovedEvent,
        ]
        try:
            if self._observer is None:
                from watchdog.observers import Observer  # noqa: PLC0415 - as above

                self._handler = _build_handler(self._on_event)
                self._observer = Observer()
                self._observer.start()
            self._watches[folder] = self._observer.schedule(self._handler, folder, event_filter=kinds)
        except (OSError, RuntimeError):
            return False  # no more handles, or a file system without events
        return True

    def _on_event(self, paths: tuple[str, ...]) -> None:
        """Handle an event, in watchdog's thread."""
        for path in paths:
            if path in self._missing_folders:
                self._stale = True
            elif path not in self._files:
                folder, name = os.path.split(path)
                if folder not in self._folders or name in self._ignored or name.startswith("."):
                    continue
            with contextlib.suppress(BlockingIOError, OSError):
                os.write(self._wake_writer, b"!")
            return


def _build_handler(on_event: Any) -> Any:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler  # noqa: PLC0415 - as above

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            on_event(tuple(os.fsdecode(path) for path in (event.src_path, event.dest_path) if path))

    return Handler()


def read_stamp(path: str, ignored: Container[str] = ()) -> tuple[int, float]:
    """Return size and time of the last change of a file, or of the files directly in a folder together."""
    try:
        found = os.stat(path)
        if not stat.S_ISDIR(found.st_mode):
            return (found.st_size, found.st_mtime)
        with os.scandir(path) as entries:
            kept = [entry.stat() for entry in entries if entry.name not in ignored and not entry.name.startswith(".")]
    except OSError:
        return (-1, 0.0)
    return (len(kept) + sum(each.st_size for each in kept), max((each.st_mtime for each in kept), default=0.0))


class _ProcessExits:
    """Immediate notice of process ends, including processes that are not children of this one."""

    def __init__(self) -> None:
        self._handles: dict[int, int] = {}
        self._queue: Any = None
        self._watched: frozenset[int] = frozenset()
        self._gone: set[int] = set()
        self._has_new_exit = False

    def watch(self, pids: frozenset[int]) -> None:
        for pid in self._watched - pids:
            self._unwatch_process(pid)
            self._gone.discard(pid)
        for pid in pids - self._watched:
            self._watch_process(pid)
        self._watched = pids

    def handles(self) -> list[int]:
        return [self._queue.fileno()] if self._queue is not None else list(self._handles.values())

    def take_new_exit(self) -> bool:
        """Return True if a process has ended since the last call."""
        if self._queue is not None:
            for event in self._queue.control(None, 64, 0):
                self._gone.add(event.ident)
                self._has_new_exit = True
        elif self._handles:
            ready, _ = wait_for_handles(self._handles.values(), seconds=0)
            for pid in [pid for pid, handle in self._handles.items() if handle in ready]:
                self._unwatch_process(pid)
                self._gone.add(pid)
                self._has_new_exit = True
        has_new_exit, self._has_new_exit = self._has_new_exit, False
        return has_new_exit

    def close(self) -> None:
        for pid in list(self._handles):
            self._unwatch_process(pid)
        if self._queue is not None:
            self._queue.close()
            self._queue = None

    def _watch_process(self, pid: int) -> None:
        try:
            if hasattr(os, "pidfd_open"):
                self._handles[pid] = os.pidfd_open(pid)
            elif hasattr(select, "kqueue"):
                self._watch_by_kqueue(pid)
        except ProcessLookupError:
            self._gone.add(pid)
            self._has_new_exit = True
        except OSError:
            return  # an old kernel or no more handles: the caller's timeout covers it

    def _watch_by_kqueue(self, pid: int) -> None:
        kernel: Any = select  # its names differ from system to system
        if self._queue is None:
            self._queue = kernel.kqueue()
        flags = kernel.KQ_EV_ADD | kernel.KQ_EV_ONESHOT
        event = kernel.kevent(pid, kernel.KQ_FILTER_PROC, flags, kernel.KQ_NOTE_EXIT)
        self._queue.control([event], 0, 0)

    def _unwatch_process(self, pid: int) -> None:
        handle = self._handles.pop(pid, None)
        if handle is not None:
            os.close(handle)
