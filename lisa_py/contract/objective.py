"""What a session is for, as answers tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.records import SessionMeta

if TYPE_CHECKING:
    from lisa_py.store import objectives  # send does not pay for the registry behind it


class ObjectiveSummary(Struct, frozen=True, kw_only=True):
    """What the session is for."""

    id: str
    goal: str
    acceptance: str
    budget: int


def from_session_meta(meta: SessionMeta) -> ObjectiveSummary | UnsetType:
    """That under which it was spawned."""
    if not meta.objective_id:
        return UNSET
    return ObjectiveSummary(
        id=meta.objective_id,
        goal=meta.objective_goal,
        acceptance=meta.objective_acceptance,
        budget=meta.objective_budget,
    )


def from_record(record: objectives.Objective | None) -> ObjectiveSummary | UnsetType:
    """The project's own record of it."""
    if record is None:
        return UNSET
    return ObjectiveSummary(id=record.id, goal=record.goal, acceptance=record.acceptance, budget=record.budget)
