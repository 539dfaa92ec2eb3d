"""Registration of the user with the sessions API: the time of the first one."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.env import Settings
from lisa_py.store.json_records import load_readable, save
from lisa_py.store.record import StoreRecord


class Registration(Struct, kw_only=True):
    """`registration.json` in the server's folder."""

    registered_at: str


def _path(settings: Settings) -> str:
    return os.path.join(settings.state_dir, "server", "registration.json")


def ensure_registration(settings: Settings, now: float) -> Registration:
    """Return the registration, made if there is none. Raise LisaError(store_unwritable)."""
    path = _path(settings)
    files.ensure_private_dir(os.path.dirname(path))
    with files.lock(f"{path}.lock", timeout_ms=settings.state_lock_timeout_ms * 4):
        found = load_readable(path, Registration)
        if found is None:
            found = Registration(registered_at=format_rfc3339(now))
            save(path, found)
    return found


def require_registration(settings: Settings) -> None:
    """Raise LisaError(not_registered) for a user without a registration."""
    if load_readable(_path(settings), Registration) is None:
        raise LisaError("not_registered", "the user is not registered; POST /v1/register registers the user")


def remove_registration(settings: Settings) -> None:
    files.remove(_path(settings))


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
