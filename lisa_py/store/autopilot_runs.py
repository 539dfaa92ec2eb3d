"""Run logs of autopilot, from which another process can resume a run."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.clock import utc_stamp
from lisa_py.host.env import Settings
from lisa_py.store import paths
from lisa_py.store.paths import Project
from lisa_py.store.record import DAY, StoreRecord

RUN_ID = re.compile(r"run-\d{8}-\d{6}-\d{3}-[0-9a-f]{6}\Z")
MAX_KEPT_RUNS = 20
"""Number of kept logs per project; the oldest are removed first, running ones stay."""
LOCK_TIMEOUT_MS = 200
"""A check whether a run is active holds the lock for a moment."""


class RunRef(Struct, frozen=True):
    """One run, in the folder of its project."""

    folder: str
    id: str

    @property
    def log(self) -> str:
        return os.path.join(self.folder, "runs", self.id + ".json")

    @property
    def lock(self) -> str:
        return os.path.join(self.folder, "locks", self.id)


def new_id(now: float) -> str:
    """Return `run-<YYYYMMDD>-<HHMMSS>-<mmm>-<six hex digits>` in UTC, so that ids sort by start time."""
    return f"run-{utc_stamp(now)}-{os.urandom(3).hex()}"


def list_runs(project: Project) -> list[RunRef]:
    """Return the runs of the project, newest first."""
    return _list_folder_runs(project.folder)


def _list_folder_runs(folder: str) -> list[RunRef]:
    every = (name.partition(".") for name in reversed(files.list_names(os.path.join(folder, "runs"))))
    return [RunRef(folder, name) for name, _, kind in every if kind == "json" and RUN_ID.match(name)]


def find(run_id: str, project: Project, settings: Settings, *, anywhere: bool) -> RunRef | None:
    """Return the run of this id in the project, or with `anywhere` in any project of this machine."""
    others = paths.list_project_hashes(settings) if anywhere else []
    folders = [project.folder, *(os.path.join(settings.state_dir, "projects", digest) for digest in others)]
    return next((run for run in (RunRef(folder, run_id) for folder in folders) if files.exists(run.log)), None)


def read(run: RunRef) -> bytes | None:
    """Return the text of the log, or None if there is none. Raise OSError."""
    return files.read(run.log)


def write(run: RunRef, summary: object) -> None:
    """Replace the log, mode 0600. Raise LisaError(store_unwritable)."""
    files.ensure_private_dir(os.path.dirname(run.log))
    files.write(run.log, jsontext.encode(summary) + b"\n")


def set_aside(run: RunRef, now: float) -> str:
    """Move an invalid log aside and return its new path."""
    return files.set_aside(run.log, now)


def modified_at(run: RunRef) -> float:
    """Return Unix seconds of the last change of the log; 0 if there is none."""
    return files.modified_at(run.log)


def is_running(run: RunRef) -> bool:
    """Return True if a process is executing the run."""
    return files.is_locked(run.lock)


@contextlib.contextmanager
def hold_lock(run: RunRef) -> Iterator[None]:
    """Hold the lock of the process that executes the run; it ends with the process.

    Raises LisaError: autopilot_run_busy, store_unwritable.
    """
    files.ensure_private_dir(os.path.dirname(run.lock))
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.lock(run.lock, timeout_ms=LOCK_TIMEOUT_MS, code="autopilot_run_busy"))
        except LisaError as problem:
            if problem.code == "autopilot_run_busy":
                raise busy_error(run) from None
            raise
        stack.callback(files.remove, run.lock)
        yield


def busy_error(run: RunRef) -> LisaError:
    return LisaError(
        "autopilot_run_busy",
        f"{run.id} is under way in another process; wait for it, or end that process and resume the run",
        autopilotId=run.id,
    )


def prune(folder: str, oldest: float = 0.0) -> int:
    """Remove logs beyond MAX_KEPT_RUNS and those unchanged since `oldest` (unix seconds); return their number.

    Running ones stay; a log that cannot be removed is tried again the next time.
    """
    removed = 0
    for number, run in enumerate(_list_folder_runs(folder)):
        if (number >= MAX_KEPT_RUNS or modified_at(run) < oldest) and not is_running(run):
            with contextlib.suppress(OSError):
                removed += files.remove(run.log)
                files.remove(run.lock)
    return removed


RECORD = StoreRecord(
    check=None,
    snapshot=None,
    prune=lambda folder, settings, now: prune(folder, now - settings.event_retention_days * DAY),
)
