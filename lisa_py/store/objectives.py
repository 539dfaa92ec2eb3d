"""Objectives of a project; the current one, while open, is prepended to prompts."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host.clock import parse_time
from lisa_py.store.paths import Project
from lisa_py.store.record import SnapshotPart, StoreRecord, check_registries
from lisa_py.store.registry import Registry, project_registry


class Objective(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """One goal; times are RFC 3339, UTC, whole seconds."""

    id: str
    goal: str = ""
    acceptance: str = ""
    budget: int = 0
    status: str = ""
    """open, done or paused."""
    created_at: str = ""
    updated_at: str = ""
    expires_at: str = ""


class Objectives(Struct, kw_only=True, rename="camel"):
    """`objectives.json`."""

    current_id: str = ""
    objectives: dict[str, Objective] = {}
    updated_at: str = ""

    def drop_expired(self, now: float) -> None:
        for name in [name for name, item in self.objectives.items() if is_expired(item.expires_at, now)]:
            del self.objectives[name]
        if self.current_id not in self.objectives:
            self.current_id = ""


def registry(project: Project) -> Registry[Objectives]:
    return project_registry(project, "objectives.json", Objectives, "objective")


def find_current(project: Project, now: float) -> Objective | None:
    """Return the current objective if it is open and not expired; None also for an unreadable store."""
    try:
        content = registry(project).read()
    except LisaError:
        return None
    found = content.objectives.get(content.current_id)
    if found is None or found.status != "open" or is_expired(found.expires_at, now):
        return None
    return found


def is_expired(stamp: str, now: float) -> bool:
    """Return True if the time is before now; an unreadable or missing time never expires."""
    moment = parse_time(stamp)
    return moment is not None and moment < now


RECORD = StoreRecord(
    check=lambda project, settings: check_registries([registry(project)]),
    snapshot=SnapshotPart(
        field="objective_store",
        clear_code="objective_store_clear_failed",
        registry=lambda project, name: registry(project),
    ),
    prune=None,
)
