"""A session's folder as a whole: made, emptied, and forgotten when nobody asks any more."""

from __future__ import annotations

import os

from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import places
from lisa_py.store.places import Place

DAY = 24 * 3600
_EVENTS = "events.jsonl"


def make(place: Place) -> None:
    """Raises LisaError(store_unwritable)."""
    files.private_dir(place.folder)


def has_more_than_events(place: Place) -> bool:
    """Whether there is anything that a kill would remove."""
    return any(name != _EVENTS for name in _names(place.folder))


def is_link(place: Place) -> bool:
    """Whether somebody put a symlink in the folder's place."""
    return os.path.islink(place.folder)


def empty(place: Place) -> None:
    """Remove everything but the event log; without a log the folder goes too.

    Of a symlink in the folder's place only the link goes: what it leads to is not lisa's.
    """
    if is_link(place):
        files.remove(place.folder)
        return
    for name in _names(place.folder):
        if name != _EVENTS:
            _remove(place.file(name))
    if not _names(place.folder):
        files.remove_tree(place.folder)


def _names(path: str) -> list[str]:
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
    for purpose in ("events", "state", "input", "name"):
        files.remove(os.path.join(folder, f"{place.session}.{purpose}"))


def prune(settings: Settings, now: float) -> int:
    """Forget event logs of sessions that ended longer ago than the retention; answers how many."""
    oldest = now - settings.event_retention_days * DAY
    gone = 0
    for digest in places.projects(settings):
        folder = os.path.join(settings.state_dir, "projects", digest)
        for name in places.sessions(folder):
            path = os.path.join(folder, "sessions", name)
            if _names(path) == [_EVENTS] and files.modified(os.path.join(path, _EVENTS)) < oldest:
                files.remove_tree(path)
                files.remove(os.path.join(folder, "locks", name + ".events"))
                gone += 1
    return gone
