"""The objective of a session in answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.records import SessionMeta

if TYPE_CHECKING:
    from lisa_py.store import objectives  # send must not import the registry


class ObjectiveSummary(Struct, frozen=True, kw_only=True):
    """The objective of a session."""

    id: str
    goal: str
    acceptance: str
    budget: int


def from_session_meta(meta: SessionMeta) -> ObjectiveSummary | UnsetType:
    """Return the objective at the spawn of the session."""
    if not meta.objective_id:
        return UNSET
    return ObjectiveSummary(
        id=meta.objective_id,
        goal=meta.objective_goal,
        acceptance=meta.objective_acceptance,
        budget=meta.objective_budget,
    )


def from_record(record: objectives.Objective | None) -> ObjectiveSummary | UnsetType:
    """Return the objective from its record in the project."""
    if record is None:
        return UNSET
    return ObjectiveSummary(id=record.id, goal=record.goal, acceptance=record.acceptance, budget=record.budget)
