"""Record a worktree while it is made, so that the next start removes what a killed one has left."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionWorktree
from lisa_py.host import files, processes

LOCK_MS = 1000


class WorktreeStart(Struct, kw_only=True, rename="camel"):
    """`lisa/NAME.json` in the repository: a worktree that no session record names yet."""

    worktree: SessionWorktree
    pid: int
    process_started: float
    is_checked_out: bool = False
    """The files are there: somebody may have worked with them."""


def _path(made: SessionWorktree, ending: str) -> str:
    return os.path.join(made.repository, "lisa", os.path.basename(made.path) + ending)


def find_interrupted(made: SessionWorktree) -> WorktreeStart | None:
    """Return the record of a start that was killed while it made this worktree."""
    try:
        raw = files.read(_path(made, ".json"))
        found = msgspec.json.decode(raw, type=WorktreeStart) if raw else None
    except (OSError, msgspec.DecodeError):
        return None
    if found is None or found.worktree.path != made.path or processes.is_running(found.pid, found.process_started):
        return None
    return found


@contextlib.contextmanager
def exclude_others(made: SessionWorktree) -> Iterator[None]:
    """Let one process at a time make the worktree. Raise LisaError: worktree_exists, git_failed."""
    try:
        files.make_dirs(os.path.dirname(_path(made, "")))
    except OSError as problem:
        raise LisaError("git_failed", f"no worktree was made: {made.repository}: {problem.strerror}") from None
    path = _path(made, ".lock")
    with files.lock(path, timeout_ms=LOCK_MS, code="worktree_exists"):
        try:
            yield
        finally:
            files.remove(path)
            _remove_folder(made)


def record(made: SessionWorktree, *, is_checked_out: bool = False) -> None:
    """Record that this process makes the worktree. Raise LisaError(store_unwritable)."""
    pid = processes.own_pid()
    process = processes.read_process(pid, argv=False)
    started = process.started if process is not None else 0.0
    kept = WorktreeStart(worktree=made, pid=pid, process_started=started, is_checked_out=is_checked_out)
    files.write(_path(made, ".json"), msgspec.json.encode(kept))


def finish(made: SessionWorktree) -> None:
    """Remove the record: a session record names the worktree now, or it is gone."""
    with contextlib.suppress(OSError):
        files.remove(_path(made, ".json"))
    _remove_folder(made)


def _remove_folder(made: SessionWorktree) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(_path(made, "")))
