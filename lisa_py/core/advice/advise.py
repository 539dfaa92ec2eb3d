"""The one next command about a session, as answers tell it."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.status import Status
from lisa_py.core.advice import examine, next_step
from lisa_py.core.context import Context
from lisa_py.store.places import Place


class Advice(Struct, frozen=True, kw_only=True, rename="camel"):
    """The one next command."""

    session: str
    status: str
    session_state: str
    waiting_for: str
    next_action: str
    recommended_command: str
    reason: str
    budget: int


def advise(ctx: Context, place: Place, seen: Status, budget: int) -> Advice:
    """What to run next about a session that was seen so; the answer of it costs about so many tokens at most."""
    patient = examine.patient(ctx, place)
    step = next_step.of(seen.session_state, seen.waiting_for, budget, patient, seen.error_kind)
    return Advice(
        session=place.session,
        status=seen.status,
        session_state=seen.session_state,
        waiting_for=seen.waiting_for,
        next_action=step.action,
        recommended_command=step.command,
        reason=step.reason,
        budget=budget,
    )
