"""Remove outdated records, files of killed writers and unused locks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from lisa_py.contract.errors import LisaError
from lisa_py.contract.late_pattern import compile_late
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import paths, session_folder
from lisa_py.store.record import DAY, StoreRecord, load_records

HOUR = 3600
_TEMPORARY_FILE = compile_late(r"\..+\.\d+-[0-9a-f]{8}\Z")
"""Name that `host.files.write` gives a file it has not finished; that takes milliseconds."""


def prune_hourly(settings: Settings, now: float) -> None:
    """Prune unless that was done within the last hour: it reads all projects. Raise LisaError(store_unwritable)."""
    stamp = os.path.join(settings.state_dir, "pruned")
    if not files.is_dir(settings.state_dir) or 0 <= now - files.modified_at(stamp) < HOUR:
        return
    files.write(stamp, "")  # first: of several processes one prunes
    prune(settings, now)


def prune(settings: Settings, now: float, records: Mapping[str, StoreRecord] | None = None) -> dict[str, int]:
    """Remove in all projects what each record declares as outdated; return the numbers by record.

    Temporary files go after an hour, locks after a day without a session folder of their name.
    """
    declared = load_records() if records is None else records
    removed = dict.fromkeys((name for name, record in declared.items() if record.prune), 0)
    _remove_temporary_files(settings.state_dir, now)
    for digest in paths.list_project_hashes(settings):
        folder = os.path.join(settings.state_dir, "projects", digest)
        sessions = [os.path.join("sessions", name) for name in paths.list_session_names(folder)]
        for subfolder in ("", "cursors", "memories", "runs", *sessions):
            _remove_temporary_files(os.path.join(folder, subfolder), now)
        for name, record in declared.items():
            if record.prune is not None:
                removed[name] += record.prune(folder, settings, now)
        _remove_unused_locks(folder, now)
    return removed


def _remove_temporary_files(path: str, now: float) -> None:
    for name in session_folder.list_entries(path):
        if name.startswith(".") and _TEMPORARY_FILE.match(name):
            _remove_older(os.path.join(path, name), now - HOUR)


def _remove_unused_locks(project: str, now: float) -> None:
    """Remove the locks of names without a folder; a process that waits for one notices the removal."""
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
