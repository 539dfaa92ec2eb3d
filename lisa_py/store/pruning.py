"""What nobody asks for any more: old logs and memories, files of dead writers, locks of lost names."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import folder, places, runs
from lisa_py.store.memory import Memory
from lisa_py.store.records import Unreadable, load

HOUR = 3600
DAY = 24 * HOUR
_HALF = re.compile(r"\..+\.\d+-[0-9a-f]{8}\Z")
"""What `host.files.write` calls a file it has not finished; it takes milliseconds."""


def prune(settings: Settings, now: float) -> int:
    """Forget in all projects what is over; answers how many event logs.

    Event logs of killed sessions and logs of autopilot runs go after LISA_EVENT_RETENTION_DAYS, memories when they
    have expired, halves after an hour, locks after a day without a folder of their name.
    """
    gone = 0
    _remove_halves(settings.state_dir, now)
    for digest in places.projects(settings):
        project = os.path.join(settings.state_dir, "projects", digest)
        gone += _prune_sessions(project, settings, now)
        for below in ("", "cursors", "memories", "runs"):
            _remove_halves(os.path.join(project, below), now)
        _forget_memories(os.path.join(project, "memories"), now)
        runs.prune(project, now - settings.event_retention_days * DAY)
        _remove_locks(project, now)
    return gone


def _prune_sessions(project: str, settings: Settings, now: float) -> int:
    gone = 0
    oldest = now - settings.event_retention_days * DAY
    for name in places.sessions(project):
        path = os.path.join(project, "sessions", name)
        _remove_halves(path, now)
        if folder.entries(path) == [folder.EVENTS] and files.modified(os.path.join(path, folder.EVENTS)) < oldest:
            files.remove_tree(path)
            files.remove(os.path.join(project, "locks", name + ".events"))
            gone += 1
    return gone


def _remove_halves(path: str, now: float) -> None:
    for name in folder.entries(path):
        if name.startswith(".") and _HALF.match(name):
            _remove_older(os.path.join(path, name), now - HOUR)


def _forget_memories(path: str, now: float) -> None:
    for name in folder.entries(path):
        file = os.path.join(path, name)
        if not name.endswith(".json") or not _is_over(file, now):
            continue
        with contextlib.suppress(LisaError), files.lock(file + ".lock", timeout_ms=0):
            if _is_over(file, now):  # nobody has refreshed it meanwhile
                files.remove(file)
            files.remove(file + ".lock")


def _is_over(file: str, now: float) -> bool:
    try:
        memory = load(file, Memory)
    except Unreadable:
        return False
    return memory is not None and bool(memory.updated_at) and not memory.live(now)


def _remove_locks(project: str, now: float) -> None:
    """Of names that have no folder; whoever waits for such a lock just now notices that it is gone."""
    for path, session in _session_locks(project):
        if files.exists(os.path.join(project, "sessions", session)) or files.modified(path) > now - DAY:
            continue
        with contextlib.suppress(LisaError), files.lock(path, timeout_ms=0):
            files.remove(path)


def _session_locks(project: str) -> Iterator[tuple[str, str]]:
    for name in folder.entries(os.path.join(project, "locks")):
        session, _, purpose = name.rpartition(".")
        if purpose in folder.PURPOSES and places.NAME.match(session):
            yield os.path.join(project, "locks", name), session


def _remove_older(path: str, than: float) -> None:
    if files.modified(path) < than:
        with contextlib.suppress(OSError):
            files.remove(path)
