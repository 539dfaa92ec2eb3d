"""Check, create the folder of, and remove the socket file of a tmux server."""

from __future__ import annotations

import os
import stat

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.host import files

LOCK_MS = 2000
SOCKET_PATH_MAX = 100
"""Bytes; Linux takes 107 for a Unix socket, macOS 103."""


def refuse_foreign(path: str) -> None:
    """Raise TmuxUnavailable if the path is not a socket of this user: any user can listen on one in /tmp."""
    try:
        found = os.lstat(path)
    except OSError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise TmuxUnavailable(f"{path} is not a socket; move it away")
    if found.st_uid != os.getuid():
        raise TmuxUnavailable(f"{path} belongs to another user; set LISA_TMUX_SOCKET_DIR to a folder of yours")


def ensure_socket_folder(path: str) -> None:
    """Create the socket's folder with mode 0700 if missing; refuse one in which others could replace the socket.

    Raises LisaError(spawn_tmux_new_failed | store_unwritable).
    """
    folder = os.path.dirname(path)
    if not os.path.lexists(folder):
        files.ensure_private_dir(folder)
    try:
        found = os.stat(folder)
    except OSError as problem:
        raise LisaError("spawn_tmux_new_failed", f"the socket folder {folder}: {problem.strerror}") from problem
    shared_but_safe = found.st_uid == 0 and found.st_mode & stat.S_ISVTX
    if found.st_uid != os.getuid() and not shared_but_safe:
        raise LisaError("spawn_tmux_new_failed", f"the socket folder {folder} belongs to another user")


def is_listening(path: str, timeout: float) -> bool | None:
    """Return True if a server listens, False if none does, None if that cannot be determined."""
    import socket  # noqa: PLC0415 - only few ask

    try:
        refuse_foreign(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(timeout)
            probe.connect(path)
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except (OSError, LisaError):
        return None
    return True


def remove_socket(path: str, timeout: float) -> bool:
    """Remove the socket of an ended server; return False if a server listens or the socket is not ours.

    Holds the lock that tmux takes to start a server, so that a starting server keeps its socket.
    Raises LisaError(store_unwritable | state_lock_timeout).
    """
    if not os.path.lexists(path) or is_listening(path, timeout) is not False:
        return False
    with files.lock(path + ".lock", timeout_ms=LOCK_MS):
        if is_listening(path, timeout) is not False:
            return False
        try:
            removed = files.remove(path)
        except OSError as problem:
            raise files.unwritable_error(path, problem) from problem
        files.remove(path + ".lock")
        return removed
