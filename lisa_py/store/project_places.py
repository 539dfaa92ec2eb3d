"""Folder of a project by its id: `project.json` in the project's state folder, for projects without a session."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import live_records, paths
from lisa_py.store.json_records import load_readable, save
from lisa_py.store.paths import Project
from lisa_py.store.record import StoreRecord

_FILE = "project.json"


class ProjectPlace(Struct, kw_only=True, rename="camel"):
    """The folder of a project."""

    root: str


def note_place(project: Project) -> None:
    """Make the project known by its id. Raise LisaError(store_unwritable)."""
    path = os.path.join(project.folder, _FILE)
    if not files.exists(path):
        files.ensure_private_dir(project.folder)
        save(path, ProjectPlace(root=project.root))


def find_place(identity: str, settings: Settings) -> str:
    """Return the folder of the project of an id; empty if it is not known."""
    for digest in paths.list_project_hashes(settings):
        found = load_readable(os.path.join(settings.state_dir, "projects", digest, _FILE), ProjectPlace)
        if found is None:
            continue
        project = paths.resolve_project(found.root, settings)
        if project.hash == digest and live_records.project_id(project) == identity.lower():
            return project.root
    return live_records.find_project(identity, settings)


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
