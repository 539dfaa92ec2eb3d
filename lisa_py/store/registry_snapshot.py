"""Snapshots of a project's registries: taken as one file, checked as a whole, put back all or none, or cleared."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.host.env import Settings
from lisa_py.store import context_cache, lanes, objectives, registry, session_memory
from lisa_py.store.context_cache import ContextCache
from lisa_py.store.lanes import Lanes
from lisa_py.store.objectives import Objectives
from lisa_py.store.paths import SESSION_NAME, Project, SessionRef
from lisa_py.store.registry import Registry
from lisa_py.store.session_memory import SessionMemory

VERSION = "1"
EXTRAS = ("memory", "context-cache")
"""Registries that are left alone unless asked for."""


class RegistrySnapshot(Struct, kw_only=True, rename="camel"):
    """The file; expired objectives are part of it."""

    version: str = VERSION
    project_root: str = ""
    objective_store: Objectives = msgspec.field(default_factory=Objectives)
    lane_store: Lanes = msgspec.field(default_factory=Lanes)
    memories: dict[str, SessionMemory] | UnsetType = UNSET
    context_cache: ContextCache | UnsetType = UNSET


class RegistryClearResult(Struct, frozen=True, kw_only=True):
    """Which registries were there and are gone."""

    objectives: bool
    lanes: bool
    memories: int = 0
    context_cache: bool = False


def take(project: Project, extras: frozenset[str]) -> RegistrySnapshot:
    """Raises LisaError of the registry that cannot be read."""
    return RegistrySnapshot(
        project_root=project.root,
        objective_store=objectives.registry(project).read(),
        lane_store=lanes.registry(project).read(),
        memories=_memories(project) if "memory" in extras else UNSET,
        context_cache=context_cache.registry(project).read() if "context-cache" in extras else UNSET,
    )


def _memories(project: Project) -> dict[str, SessionMemory]:
    return {ref.session: session_memory.registry(ref).read() for ref in session_memory.list_sessions(project)}


def parse(raw: bytes) -> RegistrySnapshot:
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
    """Absent and null are the same."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def restore(project: Project, snapshot: RegistrySnapshot, settings: Settings) -> None:
    """Replace what the snapshot holds, sound or corrupt; all of it or nothing.

    Raises LisaError of the registry that cannot be written.
    """
    changes: list[tuple[Registry[Any], Any]] = [
        (objectives.registry(project), snapshot.objective_store),
        (lanes.registry(project), snapshot.lane_store),
    ]
    if isinstance(snapshot.context_cache, ContextCache):
        changes.append((context_cache.registry(project), snapshot.context_cache))
    for name, content in (snapshot.memories or {}).items():
        changes.append((session_memory.registry(SessionRef(project, name)), content))
    registry.write_all(changes, settings)


def clear(project: Project, extras: frozenset[str], settings: Settings) -> RegistryClearResult:
    """Remove the registries, sound or corrupt. Raises LisaError(..._clear_failed)."""
    refs = session_memory.list_sessions(project) if "memory" in extras else []
    cache = "context-cache" in extras
    return RegistryClearResult(
        objectives=_clear(objectives.registry(project), settings, "objective_store_clear_failed"),
        lanes=_clear(lanes.registry(project), settings, "lane_store_clear_failed"),
        memories=sum(_clear(session_memory.registry(ref), settings, "memory_clear_failed") for ref in refs),
        context_cache=cache and _clear(context_cache.registry(project), settings, "context_cache_clear_failed"),
    )


def _clear(found: Registry[Any], settings: Settings, code: str) -> bool:
    try:
        return found.clear(settings)
    except (LisaError, OSError) as problem:
        raise LisaError(code, f"cannot clear {found.path}: {problem}", path=found.path) from problem
