"""Objective and lane of a session in handoffs and packs."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.store import lanes
from lisa_py.store.lanes import Lane
from lisa_py.store.paths import Project


class ObjectiveBlock(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str = ""
    goal: str = ""
    acceptance: str = ""
    budget: int = 0
    lane: str = ""


class LaneBlock(Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    contract: str = ""
    budget: int = 0
    goal: str = ""


def build_objective(meta: SessionMeta) -> ObjectiveBlock | UnsetType:
    """Return the objective that the session was spawned with."""
    if not meta.objective_id and not meta.objective_goal:
        return UNSET
    return ObjectiveBlock(
        id=meta.objective_id,
        goal=meta.objective_goal,
        acceptance=meta.objective_acceptance,
        budget=meta.objective_budget,
        lane=meta.lane,
    )


def find_lane(meta: SessionMeta, project: Project) -> Lane | None:
    """Return the record of the lane; None if it is missing or its store unreadable."""
    try:
        return lanes.find(project, meta.lane) if meta.lane else None
    except LisaError:
        return None


def build_lane(meta: SessionMeta, found: Lane | None) -> LaneBlock | UnsetType:
    """Return the lane of the session; only its name if the lane was removed."""
    if not meta.lane:
        return UNSET
    if found is None:
        return LaneBlock(name=meta.lane)
    return LaneBlock(name=meta.lane, contract=found.contract, budget=found.budget, goal=found.goal)
