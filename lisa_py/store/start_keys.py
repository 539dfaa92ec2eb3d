"""Keys of started sessions: who holds an idempotent or debounce key, and the request that waits for one."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

from msgspec import Struct

from lisa_py.contract import digests
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store.json_records import load_readable, save
from lisa_py.store.paths import Project
from lisa_py.store.record import DAY, StoreRecord

_WAKE = ".wake"
LOCK_SECONDS = 60
"""Limit of the wait for another start with the same key."""


class KeyHolder(Struct, kw_only=True, omit_defaults=True):
    """`keys/<hash>.json`: the newest session of one key."""

    key: str
    session: str
    run_id: str = ""
    """Empty until the session has started."""
    claimed_at: float = 0.0


class WaitingRequest(Struct, kw_only=True, omit_defaults=True):
    """`pending/<hash>.json`: the newest request of a debounce key, as its caller made it."""

    key: str
    request: dict[str, Any]
    environ: dict[str, str] = {}
    """Environment of the caller; like every file here readable only by the user, removed at the start."""
    requested_at: float = 0.0


def _path(project: Project, folder: str, key: str) -> str:
    digest = digests.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return os.path.join(project.folder, folder, f"{digest}.json")


def lock(project: Project, settings: Settings, key: str, *, wait: bool = True) -> AbstractContextManager[float]:
    """Return the lock of a key: lookup and creation of its session are one step.

    Without `wait` entering it raises LisaError(state_lock_timeout) at once if another process has it.
    """
    folder = files.ensure_private_dir(os.path.join(project.folder, "locks"))
    name = os.path.basename(_path(project, "keys", key)).removesuffix(".json")
    wait_ms = max(LOCK_SECONDS * 1000, settings.state_lock_timeout_ms * 4)
    return files.lock(os.path.join(folder, f"key-{name}"), timeout_ms=wait_ms if wait else 0)


def leave_wake(project: Project, key: str) -> None:
    """Note for the holder of the lock that the session may have ended. Raise LisaError(store_unwritable)."""
    path = _path(project, "keys", key) + _WAKE
    files.ensure_private_dir(os.path.dirname(path))
    files.write(path, "")


def take_wake(project: Project, key: str) -> bool:
    """Remove the note; return True if there was one."""
    return bool(files.remove(_path(project, "keys", key) + _WAKE))


def read_holder(project: Project, key: str) -> KeyHolder | None:
    """Return the newest session of the key; None if there is none or its record is unreadable."""
    found = load_readable(_path(project, "keys", key), KeyHolder)
    return found if found is not None and found.key == key else None


def write_holder(project: Project, holder: KeyHolder | None, key: str) -> None:
    """Write or remove the holder of a key; the caller has its lock. Raise LisaError(store_unwritable)."""
    path = _path(project, "keys", key)
    if holder is None:
        files.remove(path)
        return
    files.ensure_private_dir(os.path.dirname(path))
    save(path, holder)


def write_waiting(project: Project, waiting: WaitingRequest) -> None:
    """Keep the newest request of a key in place of an earlier one. Raise LisaError(store_unwritable)."""
    path = _path(project, "pending", waiting.key)
    files.ensure_private_dir(os.path.dirname(path))
    save(path, waiting)


def take_waiting(project: Project, key: str) -> WaitingRequest | None:
    """Return the waiting request of a key and remove it."""
    path = _path(project, "pending", key)
    found = load_readable(path, WaitingRequest)
    files.remove(path)
    return found


def list_waiting_keys(project: Project) -> list[str]:
    """Return the keys that a request waits for; unreadable requests are left out."""
    folder = os.path.join(project.folder, "pending")
    paths = [os.path.join(folder, name) for name in files.list_names(folder) if name.endswith(".json")]
    return [found.key for path in paths if (found := load_readable(path, WaitingRequest)) is not None]


def prune(folder: str, settings: Settings, now: float) -> int:
    """Remove holders of keys that no session has used for the time that events are kept."""
    keys, limit = os.path.join(folder, "keys"), settings.event_retention_days * DAY
    old = [path for name in files.list_names(keys) if now - files.modified_at(path := os.path.join(keys, name)) > limit]
    return sum(map(files.remove, old))


def remove_waiting(project: Project) -> int:
    """Remove all waiting requests and return their number."""
    folder = os.path.join(project.folder, "pending")
    return sum(files.remove(os.path.join(folder, name)) for name in files.list_names(folder))


RECORD = StoreRecord(check=None, snapshot=None, prune=prune)
