"""Create, check and empty the folder of a session, and remove its locks."""

from __future__ import annotations

import os

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.store.paths import SessionRef

EVENTS = "events.jsonl"
PURPOSES = ("events", "state", "input", "name", "usage", "limits", "outbox", "attended")
"""Locks of a session, each a file `locks/<session>.<purpose>` of the project: of its event log, state, input (send),
name (spawn and kill), usage, of its limit and its delivering process, and of those who can answer its dialogs."""


def create(ref: SessionRef) -> None:
    """Create the folder. Raise LisaError(store_unwritable)."""
    files.ensure_private_dir(ref.folder)


def has_more_than_events(ref: SessionRef) -> bool:
    """Return True if the folder has entries that a kill removes."""
    return any(not _is_event_log(ref, name) for name in list_entries(ref.folder))


def _is_event_log(ref: SessionRef, name: str) -> bool:
    """Return True for the log; something else in its place would refuse each further event."""
    return name == EVENTS and files.is_own_file(ref.events)


_RUN_FILES = ("done.txt", "start", "heartbeat", "stdin", "rules.json", "output.txt", "pane-count.json", "after-end.sh")
_RUN_FILES_BY_BEGIN = ("rule.", "limits", "limit_state", "dialogs", "secrets", "masked.json")


def remove_run(ref: SessionRef) -> None:
    """Remove what describes only the latest run of a session that is started again."""
    check_not_symlink(ref)
    for name in list_entries(ref.folder):
        if name in _RUN_FILES or name.startswith(_RUN_FILES_BY_BEGIN):
            _remove(ref.file(name))


def is_link(ref: SessionRef) -> bool:
    """Return True if a symlink has replaced the folder."""
    return os.path.islink(ref.folder)


def check_not_symlink(ref: SessionRef) -> None:
    """Raise LisaError(store_unwritable) if a symlink has replaced the folder; called before a write."""
    if is_link(ref):
        raise LisaError("store_unwritable", f"{ref.folder} is a symlink; lisa session kill removes it")


def remove_contents(ref: SessionRef) -> None:
    """Remove everything but the event log, and the folder if there is no log.

    Of a symlink in place of the folder only the link is removed.
    """
    if is_link(ref):
        files.remove(ref.folder)
        return
    for name in list_entries(ref.folder):
        if not _is_event_log(ref, name):
            _remove(ref.file(name))
    if not list_entries(ref.folder):
        files.remove_tree(ref.folder)


def list_entries(path: str) -> list[str]:
    """Return the entries of the folder; none if a symlink has replaced it."""
    return [] if os.path.islink(path) else files.list_names(path)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        files.remove_tree(path)
    else:
        files.remove(path)


def remove_locks(ref: SessionRef) -> None:
    """Remove the locks of a session, for the holder of its name lock; waiters create new ones."""
    folder = os.path.join(ref.project.folder, "locks")
    for purpose in PURPOSES:
        files.remove(os.path.join(folder, f"{ref.session}.{purpose}"))
