"""Index the sessions with records, of one project or all, with a warning per unreadable record."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.contract.records import SessionMeta
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


def index_project(project: Project) -> SessionIndex:
    """Return the sessions of one project."""
    found, warnings = _scan(project.folder)
    every = []
    for name, meta in found:
        if meta.project_root in ("", project.root):
            every.append(SessionIndexEntry(SessionRef(project, name), meta))
        else:
            warnings.append(f"{name} belongs to {meta.project_root}, whose hash is the same; left out")
    return SessionIndex(tuple(every), tuple(warnings))


def index_all_projects(settings: Settings) -> SessionIndex:
    """Return the sessions of all projects."""
    every: list[SessionIndexEntry] = []
    warnings: list[str] = []
    projects: dict[str, Project] = {}
    for digest in paths.list_project_hashes(settings):
        found, problems = _scan(os.path.join(settings.state_dir, "projects", digest))
        warnings += problems
        for name, meta in found:
            root = meta.project_root
            project = projects.setdefault(root, paths.resolve_project(root, settings)) if root else None
            if project is not None and project.hash == digest:
                every.append(SessionIndexEntry(SessionRef(project, name), meta))
            else:
                warnings.append(f"{name} in {digest} names another project ({root or 'none'}); left out")
    return SessionIndex(tuple(every), tuple(warnings))


def _scan(folder: str) -> tuple[list[tuple[str, SessionMeta]], list[str]]:
    found: list[tuple[str, SessionMeta]] = []
    warnings: list[str] = []
    for name in paths.list_session_names(folder):
        try:
            meta = load(os.path.join(folder, "sessions", name, "meta.json"), SessionMeta)
        except UnreadableRecord as problem:
            warnings.append(f"metadata of {name} cannot be read: {problem}")
            continue
        if meta is not None:
            found.append((name, meta))
    return found, warnings
