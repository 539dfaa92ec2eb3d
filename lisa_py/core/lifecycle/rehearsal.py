"""Preview of a spawn: command line and environment, without creating anything."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from lisa_py.agents.base import quote
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import environment, startup
from lisa_py.core.lifecycle.spawn_plan import SpawnPlan, SpawnRequest, plan_spawn, refuse_existing
from lisa_py.store import oauth_tokens
from lisa_py.store.oauth_tokens import TokenReservation

SECRET_PLACEHOLDER = "[managed-by-lisa]"
"""Placeholder for a secret in the environment."""


class SpawnPreview(Struct, frozen=True, kw_only=True):
    """A spawn that was not executed."""

    spawn_plan: SpawnPlan
    startup_command: str
    env: Mapping[str, str]
    token: TokenReservation
    """The pool token it would get, without its secret."""


def preview_spawn(ctx: Context, request: SpawnRequest) -> SpawnPreview:
    """Check and plan a spawn; raise the errors of the spawn up to its first action."""
    plan = plan_spawn(ctx, request)
    refuse_existing(ctx, plan.ref)
    agent = plan.start.agent
    token = oauth_tokens.preview(ctx.settings, ctx.clock.now()) if agent.oauth_variable else TokenReservation()
    routing = environment.routing_variables(
        plan.ref, agent=agent.name, mode=plan.mode, run_id=plan.run_id, socket=plan.server.socket
    )
    secret = {agent.oauth_variable: SECRET_PLACEHOLDER} if token.id else {}
    command = startup.supervisor_command(plan.ref, plan.run_id, plan.mode)
    return SpawnPreview(
        spawn_plan=plan,
        startup_command=" ".join(quote(word) for word in command),
        env={**routing, **secret},
        token=token,
    )
