"""What a new session finds in its folder: environment, command, metadata, and where its first turn begins."""

from __future__ import annotations

from collections.abc import Mapping

from lisa_py.contract.records import SessionMeta, SessionState
from lisa_py.core.context import Context
from lisa_py.core.life import environment
from lisa_py.core.life.draft import Draft
from lisa_py.core.life.launch import Prepared
from lisa_py.host import files
from lisa_py.host.clock import rfc3339
from lisa_py.store import folder, records, session
from lisa_py.store.tokens import Reservation

INPUT_HEAD = 4000


def variables(ctx: Context, draft: Draft, token: Reservation) -> dict[str, str]:
    """The environment the agent will have, but for what tells it where it is."""
    agent = draft.start.agent
    found = environment.inherited(ctx) | environment.carried_secret(ctx, agent)
    if token.token:
        found[agent.oauth_variable] = token.token
    return found


def write(
    ctx: Context, draft: Draft, prepared: Prepared, token: Reservation, environ: Mapping[str, str]
) -> SessionMeta:
    """Fill the session's folder; the pane's own fields are still empty. Raises LisaError(store_unwritable)."""
    place, plan, now = draft.place, prepared.plan, ctx.clock.now()
    folder.make(place)
    told = environment.routing(
        place, agent=draft.start.agent.name, mode=draft.mode, run_id=draft.run_id, socket=draft.server.socket
    )
    every = {**environ, **plan.env, **told}
    files.write(place.environment, environment.script(every, draft.server.environment()))
    files.write(place.command, plan.script + "\n")
    if plan.stdin is not None:
        files.write(place.file("stdin"), plan.stdin)
    for name, content in plan.files.items():
        files.write(place.file(name), content)
    meta = _meta(draft, prepared, token, every, now)
    session.write_meta(place, meta)
    records.save(place.state, _state(draft, prepared, now))
    return meta


def _state(draft: Draft, prepared: Prepared, now: float) -> SessionState:
    """The turn boundary: a prompt on the command line is an input; a custom command got none."""
    prompt = draft.start.launch.prompt
    if not prompt or draft.start.custom or prepared.plan.send_prompt:
        return SessionState()
    return SessionState(last_input_at=now, last_input_text=prompt[:INPUT_HEAD], last_input_expects_turn=True)


def _meta(draft: Draft, prepared: Prepared, token: Reservation, environ: Mapping[str, str], now: float) -> SessionMeta:
    start, objective = draft.start, draft.objective
    return SessionMeta(
        session=draft.name,
        parent_session=draft.parent,
        parent_run_id=draft.parent_run_id,
        agent=start.agent.name,
        mode=draft.mode,
        lane=draft.lane,
        oauth_token_id=token.id,
        run_id=draft.run_id,
        project_root=draft.place.project.root,
        socket_path=draft.server.socket,
        start_command=start.command,
        prompt=start.launch.prompt,
        objective_id=objective.id if objective else "",
        objective_goal=objective.goal if objective else "",
        objective_acceptance=objective.acceptance if objective else "",
        objective_budget=objective.budget if objective else 0,
        created_at=rfc3339(now),
        created_unix=now,
        custom_command=bool(start.custom),
        agent_session_id=prepared.plan.agent_session_id,
        agent_binary=prepared.facts.binary,
        agent_version=prepared.facts.version,
        agent_home=start.agent.home(environ),
        hooks=prepared.plan.hooks,
        width=draft.width,
        height=draft.height,
        notes=prepared.plan.notes,
    )
