"""A session's folder as a whole: made, emptied, and the locks beside it."""

from __future__ import annotations

import os

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.store.places import Place

EVENTS = "events.jsonl"
PURPOSES = ("events", "state", "input", "name")
"""What locks of a session there are; each is a file `locks/<session>.<purpose>` of the project."""


def make(place: Place) -> None:
    """Raises LisaError(store_unwritable)."""
    files.private_dir(place.folder)


def has_more_than_events(place: Place) -> bool:
    """Whether there is anything that a kill would remove."""
    return any(name != EVENTS for name in entries(place.folder))


def is_link(place: Place) -> bool:
    """Whether somebody put a symlink in the folder's place."""
    return os.path.islink(place.folder)


def must_be_ours(place: Place) -> None:
    """Before lisa writes into it. Raises LisaError(store_unwritable) where a symlink has taken its place."""
    if is_link(place):
        raise LisaError("store_unwritable", f"{place.folder} is a symlink; lisa session kill removes it")


def empty(place: Place) -> None:
    """Remove everything but the event log; without a log the folder goes too.

    Of a symlink in the folder's place only the link goes: what it leads to is not lisa's.
    """
    if is_link(place):
        files.remove(place.folder)
        return
    for name in entries(place.folder):
        if name != EVENTS:
            _remove(place.file(name))
    if not entries(place.folder):
        files.remove_tree(place.folder)


def entries(path: str) -> list[str]:
    """What lies in the folder; a symlink in its place leads to somebody else's things."""
    return [] if os.path.islink(path) else files.names(path)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        files.remove_tree(path)
    else:
        files.remove(path)


def remove_locks(place: Place) -> None:
    """For whoever holds the name lock and leaves nothing behind; waiters make themselves a new one."""
    folder = os.path.join(place.project.folder, "locks")
    for purpose in PURPOSES:
        files.remove(os.path.join(folder, f"{place.session}.{purpose}"))
