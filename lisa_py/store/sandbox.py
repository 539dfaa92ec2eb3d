"""Snapshots of a project's registries: taken as one file, checked as a whole, put back all or none, or cleared."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.host.env import Settings
from lisa_py.store import context_cache, lanes, memory, objectives, registry
from lisa_py.store.context_cache import Cache
from lisa_py.store.lanes import Lanes
from lisa_py.store.memory import Memory
from lisa_py.store.objectives import Objectives
from lisa_py.store.places import NAME, Place, Project
from lisa_py.store.registry import Registry

VERSION = "1"
EXTRAS = ("memory", "context-cache")
"""Registries that are left alone unless asked for."""


class Snapshot(Struct, kw_only=True, rename="camel"):
    """The file; expired objectives are part of it."""

    version: str = VERSION
    project_root: str = ""
    objective_store: Objectives = msgspec.field(default_factory=Objectives)
    lane_store: Lanes = msgspec.field(default_factory=Lanes)
    memories: dict[str, Memory] | UnsetType = UNSET
    context_cache: Cache | UnsetType = UNSET


class Cleared(Struct, frozen=True, kw_only=True):
    """Which registries were there and are gone."""

    objectives: bool
    lanes: bool
    memories: int = 0
    context_cache: bool = False


def take(project: Project, extras: frozenset[str]) -> Snapshot:
    """Raises LisaError of the registry that cannot be read."""
    return Snapshot(
        project_root=project.root,
        objective_store=objectives.registry(project).read(),
        lane_store=lanes.registry(project).read(),
        memories=_memories(project) if "memory" in extras else UNSET,
        context_cache=context_cache.registry(project).read() if "context-cache" in extras else UNSET,
    )


def _memories(project: Project) -> dict[str, Memory]:
    return {place.session: memory.registry(place).read() for place in memory.known(project)}


def parse(raw: bytes) -> Snapshot:
    """Raises LisaError(snapshot_parse_failed | snapshot_version_missing | snapshot_version_unsupported)."""
    try:
        found = jsontext.decode(raw)
        if not isinstance(found, dict):
            raise LisaError("snapshot_parse_failed", "the snapshot is not a JSON object")
        version = str(found.get("version") or "").strip()
        if version and version != VERSION:
            raise LisaError(
                "snapshot_version_unsupported", f"the snapshot has version {version}; this program reads {VERSION}"
            )
        snapshot = msgspec.convert(_without_nulls(found), Snapshot)
    except msgspec.DecodeError as problem:
        raise LisaError("snapshot_parse_failed", f"the snapshot cannot be read: {problem}") from problem
    if not version:
        raise LisaError("snapshot_version_missing", "the snapshot names no version; it may be another kind of file")
    for name in snapshot.memories or ():
        if not NAME.match(name):
            raise LisaError("snapshot_parse_failed", f"the snapshot holds a memory of {name!r}, which is no session")
    return snapshot


def _without_nulls(value: Any) -> Any:
    """Absent and null are the same."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def put_back(project: Project, snapshot: Snapshot, settings: Settings) -> None:
    """Replace what the snapshot holds, sound or corrupt; all of it or nothing.

    Raises LisaError of the registry that cannot be written.
    """
    changes: list[tuple[Registry[Any], Any]] = [
        (objectives.registry(project), snapshot.objective_store),
        (lanes.registry(project), snapshot.lane_store),
    ]
    if isinstance(snapshot.context_cache, Cache):
        changes.append((context_cache.registry(project), snapshot.context_cache))
    for name, content in (snapshot.memories or {}).items():
        changes.append((memory.registry(Place(project, name)), content))
    registry.put_all(changes, settings)


def clear(project: Project, extras: frozenset[str], settings: Settings) -> Cleared:
    """Remove the registries, sound or corrupt. Raises LisaError(..._clear_failed)."""
    places = memory.known(project) if "memory" in extras else []
    cache = "context-cache" in extras
    return Cleared(
        objectives=_clear(objectives.registry(project), settings, "objective_store_clear_failed"),
        lanes=_clear(lanes.registry(project), settings, "lane_store_clear_failed"),
        memories=sum(_clear(memory.registry(place), settings, "memory_clear_failed") for place in places),
        context_cache=cache and _clear(context_cache.registry(project), settings, "context_cache_clear_failed"),
    )


def _clear(found: Registry[Any], settings: Settings, code: str) -> bool:
    try:
        return found.clear(settings)
    except (LisaError, OSError) as problem:
        raise LisaError(code, f"cannot clear {found.path}: {problem}", path=found.path) from problem
