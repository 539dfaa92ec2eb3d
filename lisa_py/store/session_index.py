"""Index the sessions with records, of one project or all, with a warning per unreadable record."""

from __future__ import annotations

import os
from collections.abc import Callable

from msgspec import Struct

from lisa_py.contract.records import SessionMeta
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import paths
from lisa_py.store.json_records import UnreadableRecord, load
from lisa_py.store.paths import Project, SessionRef


class SessionIndexEntry(Struct, frozen=True):
    """A session with readable metadata."""

    ref: SessionRef
    meta: SessionMeta


class SessionIndex(Struct, frozen=True):
    """Sessions in order of project and name, and one warning per omitted record."""

    sessions: tuple[SessionIndexEntry, ...]
    warnings: tuple[str, ...]


def _load_meta(path: str) -> SessionMeta | None:
    return load(path, SessionMeta)


def index_project(project: Project, load_meta: Callable[[str], SessionMeta | None] = _load_meta) -> SessionIndex:
    """Return the sessions of one project; those for which `load_meta` returns None are left out."""
    found, warnings = _scan(project.folder, load_meta)
    every = []
    for name, meta in found:
        if meta.project_root in ("", project.root):
            every.append(SessionIndexEntry(SessionRef(project, name), meta))
        else:
            warnings.append(f"{name} belongs to {meta.project_root}, whose hash is the same; left out")
    return SessionIndex(tuple(every), tuple(warnings))


def index_all_projects(settings: Settings, load_meta: Callable[[str], SessionMeta | None] = _load_meta) -> SessionIndex:
    """Return the sessions of all projects; those for which `load_meta` returns None are left out."""
    every: list[SessionIndexEntry] = []
    warnings: list[str] = []
    projects: dict[str, Project] = {}
    for digest in paths.list_project_hashes(settings):
        found, problems = _scan(os.path.join(settings.state_dir, "projects", digest), load_meta)
        warnings += problems
        for name, meta in found:
            root = meta.project_root
            project = projects.setdefault(root, paths.resolve_project(root, settings)) if root else None
            if project is not None and project.hash == digest:
                every.append(SessionIndexEntry(SessionRef(project, name), meta))
            else:
                warnings.append(f"{name} in {digest} names another project ({root or 'none'}); left out")
    return SessionIndex(tuple(every), tuple(warnings))


def _scan(
    folder: str, load_meta: Callable[[str], SessionMeta | None] = _load_meta
) -> tuple[list[tuple[str, SessionMeta]], list[str]]:
    found: list[tuple[str, SessionMeta]] = []
    warnings: list[str] = []
    for name in paths.list_session_names(folder):
        try:
            meta = load_meta(os.path.join(folder, "sessions", name, "meta.json"))
        except UnreadableRecord as problem:
            warnings.append(f"metadata of {name} cannot be read: {problem}")
            continue
        if meta is not None:
            found.append((name, meta))
    return found, warnings


class ChildIndex:
    """The sessions with a parent of one project or all; a later look reads only what has changed since."""

    def __init__(self, settings: Settings, project: Project | None = None) -> None:
        self._settings = settings
        self._project = project
        self._known: dict[str, tuple[tuple[int, int, int], SessionMeta | None]] = {}
        """By path: modification time, size and number of the file, and its metadata if they name a parent."""
        self._sessions: tuple[SessionIndexEntry, ...] | None = None

    @property
    def sessions(self) -> tuple[SessionIndexEntry, ...]:
        """Return the sessions of the last look in order of project and name."""
        return self.read() if self._sessions is None else self._sessions

    def read(self) -> tuple[SessionIndexEntry, ...]:
        """Look again, and return the sessions in order of project and name."""
        if self._project is None:
            self._sessions = index_all_projects(self._settings, self._load).sessions
        else:
            self._sessions = index_project(self._project, self._load).sessions
        return self._sessions

    def _load(self, path: str) -> SessionMeta | None:
        """Return the metadata; None if there are none or no parent. Raise UnreadableRecord."""
        try:
            status = os.stat(path)
        except OSError:
            return None
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if path not in self._known or self._known[path][0] != stamp:
            self._known[path] = (stamp, load(path, SessionMeta) if _names_parent(path) else None)
        return self._known[path][1]


def _names_parent(path: str) -> bool:
    """Return True if the metadata name a parent: decoding those of all others takes most of the time."""
    try:
        return b'"parentSession"' in (files.read(path) or b"")
    except OSError:
        return False
