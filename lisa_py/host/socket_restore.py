"""Make a living tmux server create its removed socket again."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise

from lisa_py.host import files, processes, sockets
from lisa_py.host.processes import Process

RESTORE_SECONDS = 1.0
"""Time limit for a server to create its socket; it takes milliseconds."""


def is_server_of(process: Process, path: str) -> bool:
    """Return True if the process is a living tmux server of this user that was started on this socket."""
    started_on = [value for flag, value in pairwise(process.argv) if flag == "-S"][:1]
    same_path = [os.path.realpath(value) for value in started_on] == [os.path.realpath(path)]
    named = process.name == "tmux: server" if processes.LINUX else process.name.startswith("tmux")
    return process.alive and named and same_path and processes.user_id(process.pid) == processes.own_user_id()


def restore_socket(path: str, server: Process) -> bool:
    """Ask the server for a new socket; return True if a server listens on the path afterwards.

    Holds the lock that tmux takes to start a server, and asks only while no server listens: the signal would take the
    path from it. Raises LisaError(store_unwritable | spawn_tmux_new_failed | state_lock_timeout).
    """
    if not is_server_of(server, path):
        return False
    sockets.ensure_socket_folder(path)
    with files.lock(path + ".lock", timeout_ms=sockets.LOCK_MS):
        try:
            listening = sockets.is_listening(path, RESTORE_SECONDS)
            if listening is not False:
                return listening is True
            if not processes.send_signal(server, signal.SIGUSR1):
                return False
            deadline = time.monotonic() + RESTORE_SECONDS
            while not sockets.is_listening(path, RESTORE_SECONDS):
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.002)
            return True
        finally:
            files.remove(path + ".lock")
