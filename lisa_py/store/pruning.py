"""What nobody asks for any more: old logs and memories, files of dead writers, locks of lost names."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import autopilot_runs, paths, session_folder
from lisa_py.store.json_records import UnreadableRecord, load
from lisa_py.store.session_memory import SessionMemory

HOUR = 3600
DAY = 24 * HOUR
_TEMPORARY_FILE = re.compile(r"\..+\.\d+-[0-9a-f]{8}\Z")
"""What `host.files.write` calls a file it has not finished; it takes milliseconds."""


def prune(settings: Settings, now: float) -> int:
    """Forget in all projects what is over; answers how many event logs.

    Event logs of killed sessions and logs of autopilot runs go after LISA_EVENT_RETENTION_DAYS, memories when they
    have expired, halves after an hour, locks after a day without a folder of their name.
    """
    removed = 0
    _remove_temporary_files(settings.state_dir, now)
    for digest in paths.list_project_hashes(settings):
        project = os.path.join(settings.state_dir, "projects", digest)
        removed += _prune_sessions(project, settings, now)
        for subfolder in ("", "cursors", "memories", "runs"):
            _remove_temporary_files(os.path.join(project, subfolder), now)
        _remove_expired_memories(os.path.join(project, "memories"), now)
        autopilot_runs.prune(project, now - settings.event_retention_days * DAY)
        _remove_unused_locks(project, now)
    return removed


def _prune_sessions(project: str, settings: Settings, now: float) -> int:
    removed = 0
    oldest = now - settings.event_retention_days * DAY
    for name in paths.list_session_names(project):
        path = os.path.join(project, "sessions", name)
        _remove_temporary_files(path, now)
        if (
            session_folder.list_entries(path) == [session_folder.EVENTS]
            and files.modified_at(os.path.join(path, session_folder.EVENTS)) < oldest
        ):
            files.remove_tree(path)
            files.remove(os.path.join(project, "locks", name + ".events"))
            removed += 1
    return removed


def _remove_temporary_files(path: str, now: float) -> None:
    for name in session_folder.list_entries(path):
        if name.startswith(".") and _TEMPORARY_FILE.match(name):
            _remove_older(os.path.join(path, name), now - HOUR)


def _remove_expired_memories(path: str, now: float) -> None:
    for name in session_folder.list_entries(path):
        file = os.path.join(path, name)
        if not name.endswith(".json") or not _is_expired(file, now):
            continue
        with contextlib.suppress(LisaError), files.lock(file + ".lock", timeout_ms=0):
            if _is_expired(file, now):  # nobody has refreshed it meanwhile
                files.remove(file)
            files.remove(file + ".lock")


def _is_expired(file: str, now: float) -> bool:
    try:
        memory = load(file, SessionMemory)
    except UnreadableRecord:
        return False
    return memory is not None and bool(memory.updated_at) and not memory.is_current(now)


def _remove_unused_locks(project: str, now: float) -> None:
    """Of names that have no folder; whoever waits for such a lock just now notices that it is gone."""
    for path, session in _session_locks(project):
        if files.exists(os.path.join(project, "sessions", session)) or files.modified_at(path) > now - DAY:
            continue
        with contextlib.suppress(LisaError), files.lock(path, timeout_ms=0):
            files.remove(path)


def _session_locks(project: str) -> Iterator[tuple[str, str]]:
    for name in session_folder.list_entries(os.path.join(project, "locks")):
        session, _, purpose = name.rpartition(".")
        if purpose in session_folder.PURPOSES and paths.SESSION_NAME.match(session):
            yield os.path.join(project, "locks", name), session


def _remove_older(path: str, cutoff: float) -> None:
    if files.modified_at(path) < cutoff:
        with contextlib.suppress(OSError):
            files.remove(path)
