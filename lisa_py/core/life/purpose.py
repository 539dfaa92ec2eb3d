"""What a session is for, as answers tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.records import SessionMeta

if TYPE_CHECKING:
    from lisa_py.store import objectives  # send does not pay for the registry behind it


class Objective(Struct, frozen=True, kw_only=True):
    """What the session is for."""

    id: str
    goal: str
    acceptance: str
    budget: int


def of_session(meta: SessionMeta) -> Objective | UnsetType:
    """That under which it was spawned."""
    if not meta.objective_id:
        return UNSET
    return Objective(
        id=meta.objective_id,
        goal=meta.objective_goal,
        acceptance=meta.objective_acceptance,
        budget=meta.objective_budget,
    )


def of_record(found: objectives.Objective | None) -> Objective | UnsetType:
    """The project's own record of it."""
    if found is None:
        return UNSET
    return Objective(id=found.id, goal=found.goal, acceptance=found.acceptance, budget=found.budget)
