"""A spawn rehearsed: what would be started and with what, without making anything."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from lisa_py.agents.base import quote
from lisa_py.core.context import Context
from lisa_py.core.life import birth, environment
from lisa_py.core.life.draft import Draft, SpawnRequest, draft, refuse_existing
from lisa_py.store import tokens
from lisa_py.store.tokens import Reservation

MANAGED = "[managed-by-lisa]"
"""Stands for a secret that the session would get."""


class Rehearsed(Struct, frozen=True, kw_only=True):
    """A spawn that was not made."""

    draft: Draft
    startup_command: str
    env: Mapping[str, str]
    token: Reservation
    """The token it would get, without its secret."""


def rehearse(ctx: Context, request: SpawnRequest) -> Rehearsed:
    """Raises what the spawn itself would raise before it makes anything."""
    plan = draft(ctx, request)
    refuse_existing(ctx, plan.place)
    agent = plan.start.agent
    token = tokens.preview(ctx.settings, ctx.clock.now()) if agent.oauth_variable else Reservation()
    told = environment.routing(
        plan.place, agent=agent.name, mode=plan.mode, run_id=plan.run_id, socket=plan.server.socket
    )
    secret = {agent.oauth_variable: MANAGED} if token.id else {}
    words = birth.supervisor(plan.place, plan.run_id, plan.mode)
    return Rehearsed(
        draft=plan, startup_command=" ".join(quote(word) for word in words), env={**told, **secret}, token=token
    )
