"""List the sessions that the agent of a session has spawned, in its folder: a kill need not look at all projects."""

from __future__ import annotations

import os

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import paths
from lisa_py.store.paths import SessionRef
from lisa_py.store.record import StoreRecord


class _Child(Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of the list."""

    project_root: str
    session: str


def begin_list(ref: SessionRef) -> None:
    """Begin the list of a new session. Raise LisaError(store_unwritable)."""
    files.write(_path(ref.folder), b"")


def add_child(parent_folder: str, parent: str, child: SessionRef, settings: Settings) -> None:
    """Add a session to the list of its parent, if that has one. Raise LisaError(store_unwritable)."""
    path = _path(parent_folder)
    if _is_session_folder(parent_folder, parent, settings) and files.is_file(path):
        line = msgspec.json.encode(_Child(project_root=child.project.root, session=child.session))
        files.append(path, line + b"\n")


def read_children(ref: SessionRef, settings: Settings) -> tuple[SessionRef, ...] | None:
    """Return the sessions in the list, ended ones too.

    None without a list, as of a session of an earlier version, and for one with a damaged line, which may hide a child.
    """
    try:
        raw = files.read(_path(ref.folder))
    except OSError:
        return None
    if raw is None:
        return None
    found: dict[SessionRef, None] = {}
    for line in raw.splitlines():
        try:
            child = jsontext.decode(line, _Child)
        except msgspec.DecodeError:
            return None
        root = child.project_root
        if not paths.SESSION_NAME.match(child.session) or not os.path.isabs(root) or "\0" in root:
            return None
        found[SessionRef(paths.resolve_project(root, settings), child.session)] = None
    return tuple(found)


def _is_session_folder(folder: str, session: str, settings: Settings) -> bool:
    """Return True for a folder of a session of this name below the state folder."""
    project = os.path.dirname(os.path.dirname(folder))
    expected = os.path.join(settings.state_dir, "projects", os.path.basename(project), "sessions", session)
    return bool(session) and folder == expected and not os.path.islink(folder)


def _path(folder: str) -> str:
    return os.path.join(folder, "children.jsonl")


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
