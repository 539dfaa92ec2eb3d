"""Files of `lisa serve` in the state folder: its keys, its address, and the lock of the one that runs."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Literal

from msgspec import Struct

from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.env import Settings
from lisa_py.store.json_records import load_readable, recover, save
from lisa_py.store.record import StoreRecord

Scope = Literal["read", "control"]
KEYS_FILE = "keys.json"
ADDRESS_FILE = "server.json"


class ServerKeys(Struct, kw_only=True, rename="camel"):
    """`keys.json`: made once, kept over restarts."""

    control: str
    """API key for every route."""
    read: str
    """API key for routes that change nothing."""
    signing: str
    """Key of the token signatures."""
    created_at: str


class ServerAddress(Struct, kw_only=True, rename="camel"):
    """`server.json`: where the running server listens."""

    url: str
    pid: int
    socket: str = ""
    """Path of its Unix socket; empty without one."""
    version: str = ""
    started_at: str = ""


def _folder(settings: Settings) -> str:
    return os.path.join(settings.state_dir, "server")


def ensure_keys(settings: Settings, now: float, *, renew: bool = False) -> ServerKeys:
    """Return the keys, made if there are none, they are unreadable, or others are wanted.

    Raise LisaError(store_unwritable).
    """
    import secrets  # noqa: PLC0415 - loads OpenSSL; most callers read the keys

    files.ensure_private_dir(_folder(settings))
    with files.lock(os.path.join(_folder(settings), "keys.lock"), timeout_ms=settings.state_lock_timeout_ms * 4):
        path = os.path.join(_folder(settings), KEYS_FILE)
        found = None if renew else recover(path, ServerKeys, now)[0]
        if found is None:
            found = ServerKeys(
                control=f"lisa-{secrets.token_urlsafe(32)}",
                read=f"lisa-read-{secrets.token_urlsafe(32)}",
                signing=secrets.token_urlsafe(48),
                created_at=format_rfc3339(now),
            )
            save(path, found)
    return found


def read_keys(settings: Settings) -> ServerKeys | None:
    """Return the keys; None if no server has made them."""
    return load_readable(os.path.join(_folder(settings), KEYS_FILE), ServerKeys)


def find_scope(keys: ServerKeys, secret: str) -> Scope | None:
    """Return the scope of an API key; None if it is none. The time does not depend on the key."""
    import hmac  # noqa: PLC0415 - loads OpenSSL; only the server asks

    given = secret.encode("utf-8", "surrogateescape")
    is_control = hmac.compare_digest(given, keys.control.encode())
    is_read = hmac.compare_digest(given, keys.read.encode())
    return "control" if is_control else "read" if is_read else None


def hold_lock(settings: Settings) -> AbstractContextManager[float]:
    """Hold the lock of the running server. Raise LisaError(server_running) if another has it."""
    path = os.path.join(files.ensure_private_dir(_folder(settings)), "running.lock")
    return files.lock(path, timeout_ms=0, code="server_running")


def is_running(settings: Settings) -> bool:
    return files.is_locked(os.path.join(_folder(settings), "running.lock"))


def read_address(settings: Settings) -> ServerAddress | None:
    """Return the address of the running server; None if none runs."""
    return load_readable(os.path.join(_folder(settings), ADDRESS_FILE), ServerAddress) if is_running(settings) else None


def write_address(settings: Settings, address: ServerAddress) -> None:
    """Write the address. Raise LisaError(store_unwritable)."""
    save(os.path.join(files.ensure_private_dir(_folder(settings)), ADDRESS_FILE), address)


def remove_address(settings: Settings) -> None:
    files.remove(os.path.join(_folder(settings), ADDRESS_FILE))


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
