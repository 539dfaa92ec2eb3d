"""Suggested next command of a session, as in answers."""

from __future__ import annotations

from lisa_py.contract.answer import Answer
from lisa_py.contract.status import Status
from lisa_py.core.advice import diagnose, next_step
from lisa_py.core.context import Context
from lisa_py.store.paths import SessionRef


class Advice(Answer):
    """The suggested next command."""

    session: str
    status: str
    session_state: str
    waiting_for: str
    next_action: str
    recommended_command: str
    reason: str
    budget: int


def advise(ctx: Context, ref: SessionRef, status: Status, budget: int) -> Advice:
    """Return the next command for a session status, limited to an answer of about the given tokens."""
    target = diagnose.build_advice_target(ctx, ref)
    step = next_step.recommend_step(status.session_state, status.waiting_for, budget, target, status.error_kind)
    return Advice(
        session=ref.session,
        status=status.status,
        session_state=status.session_state,
        waiting_for=status.waiting_for,
        next_action=step.action,
        recommended_command=step.command,
        reason=step.reason,
        budget=budget,
    )
