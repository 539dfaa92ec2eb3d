"""A session's folder as a whole: made, emptied, and the locks beside it."""

from __future__ import annotations

import os

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.store.paths import SessionRef

EVENTS = "events.jsonl"
PURPOSES = ("events", "state", "input", "name")
"""What locks of a session there are; each is a file `locks/<session>.<purpose>` of the project."""


def create(ref: SessionRef) -> None:
    """Raises LisaError(store_unwritable)."""
    files.ensure_private_dir(ref.folder)


def has_more_than_events(ref: SessionRef) -> bool:
    """Whether there is anything that a kill would remove."""
    return any(name != EVENTS for name in list_entries(ref.folder))


def is_link(ref: SessionRef) -> bool:
    """Whether somebody put a symlink in the folder's place."""
    return os.path.islink(ref.folder)


def check_not_symlink(ref: SessionRef) -> None:
    """Before lisa writes into it. Raises LisaError(store_unwritable) where a symlink has taken its place."""
    if is_link(ref):
        raise LisaError("store_unwritable", f"{ref.folder} is a symlink; lisa session kill removes it")


def remove_contents(ref: SessionRef) -> None:
    """Remove everything but the event log; without a log the folder goes too.

    Of a symlink in the folder's place only the link goes: what it leads to is not lisa's.
    """
    if is_link(ref):
        files.remove(ref.folder)
        return
    for name in list_entries(ref.folder):
        if name != EVENTS:
            _remove(ref.file(name))
    if not list_entries(ref.folder):
        files.remove_tree(ref.folder)


def list_entries(path: str) -> list[str]:
    """What lies in the folder; a symlink in its place leads to somebody else's things."""
    return [] if os.path.islink(path) else files.list_names(path)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        files.remove_tree(path)
    else:
        files.remove(path)


def remove_locks(ref: SessionRef) -> None:
    """For whoever holds the name lock and leaves nothing behind; waiters make themselves a new one."""
    folder = os.path.join(ref.project.folder, "locks")
    for purpose in PURPOSES:
        files.remove(os.path.join(folder, f"{ref.session}.{purpose}"))
