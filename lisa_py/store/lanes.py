"""Lanes of a project: named spawn and route defaults with a contract."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.store.paths import Project
from lisa_py.store.record import SnapshotPart, StoreRecord, check_registries
from lisa_py.store.registry import Registry, project_registry


class Lane(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """One lane; an empty field sets no default."""

    name: str
    goal: str = ""
    agent: str = ""
    mode: str = ""
    nested_policy: str = ""
    nesting_intent: str = ""
    prompt: str = ""
    model: str = ""
    budget: int = 0
    topology: str = ""
    contract: str = ""
    updated_at: str = ""


class Lanes(Struct, kw_only=True, rename="camel"):
    """`lanes.json`."""

    lanes: dict[str, Lane] = {}
    updated_at: str = ""


def registry(project: Project) -> Registry[Lanes]:
    return project_registry(project, "lanes.json", Lanes, "lane")


def find(project: Project, name: str) -> Lane | None:
    """Return the lane of this name, ignoring case, or None. Raise LisaError(lane_store_read_failed)."""
    return registry(project).read().lanes.get(name.strip().lower())


RECORD = StoreRecord(
    check=lambda project, settings: check_registries([registry(project)]),
    snapshot=SnapshotPart(
        field="lane_store", clear_code="lane_store_clear_failed", registry=lambda project, name: registry(project)
    ),
    prune=None,
)
