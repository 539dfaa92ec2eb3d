"""Snapshots of the registries of a project: take, check, restore all or none, clear."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.host.env import Settings
from lisa_py.store.context_cache import ContextCache
from lisa_py.store.lanes import Lanes
from lisa_py.store.objectives import Objectives
from lisa_py.store.paths import SESSION_NAME, Project
from lisa_py.store.record import SnapshotPart, load_records
from lisa_py.store.registry import Registry, write_all
from lisa_py.store.session_memory import SessionMemory

VERSION = "1"
EXTRAS = ("memory", "context-cache")
"""Parts that are included on request only."""


class RegistrySnapshot(Struct, kw_only=True, rename="camel"):
    """The file; expired objectives are part of it."""

    version: str = VERSION
    project_root: str = ""
    objective_store: Objectives = msgspec.field(default_factory=Objectives)
    lane_store: Lanes = msgspec.field(default_factory=Lanes)
    memories: dict[str, SessionMemory] | UnsetType = UNSET
    context_cache: ContextCache | UnsetType = UNSET


def _parts(extras: frozenset[str]) -> list[SnapshotPart]:
    """Return the parts in the order of the fields, which decides the failure that is reported."""
    parts = {record.snapshot.field: record.snapshot for record in load_records().values() if record.snapshot}
    ordered = [parts[field] for field in RegistrySnapshot.__struct_fields__ if field in parts]
    return [part for part in ordered if not part.extra or part.extra in extras]


def take(project: Project, extras: frozenset[str]) -> RegistrySnapshot:
    """Return the content of all parts. Raise LisaError of the registry that cannot be read."""
    contents = {part.field: _read_part(part, project) for part in _parts(extras)}
    return RegistrySnapshot(project_root=project.root, **contents)


def _read_part(part: SnapshotPart, project: Project) -> Any:
    if part.names is None:
        return part.registry(project, "").read()
    return {name: part.registry(project, name).read() for name in part.names(project)}


def parse(raw: bytes) -> RegistrySnapshot:
    """Return the snapshot. Raise LisaError(snapshot_parse_failed | ..._version_missing | ..._version_unsupported)."""
    try:
        found = jsontext.decode(raw)
        if not isinstance(found, dict):
            raise LisaError("snapshot_parse_failed", "the snapshot is not a JSON object")
        version = str(found.get("version") or "").strip()
        if version and version != VERSION:
            raise LisaError(
                "snapshot_version_unsupported", f"the snapshot has version {version}; this program reads {VERSION}"
            )
        snapshot = msgspec.convert(_without_nulls(found), RegistrySnapshot)
    except msgspec.DecodeError as problem:
        raise LisaError("snapshot_parse_failed", f"the snapshot cannot be read: {problem}") from problem
    if not version:
        raise LisaError("snapshot_version_missing", "the snapshot names no version; it may be another kind of file")
    for name in snapshot.memories or ():
        if not SESSION_NAME.match(name):
            raise LisaError("snapshot_parse_failed", f"the snapshot holds a memory of {name!r}, which is no session")
    return snapshot


def _without_nulls(value: Any) -> Any:
    """Return the value without null members, which count as absent."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def restore(project: Project, snapshot: RegistrySnapshot, settings: Settings) -> None:
    """Replace the registries that the snapshot holds, intact or corrupt; all of them or none.

    Raises LisaError of the registry that cannot be written.
    """
    changes: list[tuple[Registry[Any], Any]] = []
    for part in _parts(frozenset(EXTRAS)):
        content = getattr(snapshot, part.field)
        if content is not UNSET:
            contents = {"": content} if part.names is None else content
            changes += [(part.registry(project, name), each) for name, each in contents.items()]
    write_all(changes, settings)


def clear(project: Project, extras: frozenset[str], settings: Settings) -> dict[str, int]:
    """Remove the registries, intact or corrupt; return the numbers by field.

    Raises LisaError(..._clear_failed).
    """
    return {
        part.field: sum(
            _clear(part.registry(project, name), settings, part.clear_code)
            for name in ([""] if part.names is None else part.names(project))
        )
        for part in _parts(extras)
    }


def _clear(found: Registry[Any], settings: Settings, code: str) -> bool:
    try:
        return found.clear(settings)
    except (LisaError, OSError) as problem:
        raise LisaError(code, f"cannot clear {found.path}: {problem}", path=found.path) from problem
