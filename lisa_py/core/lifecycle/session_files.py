"""Write the files of a new session: environment, command, metadata, turn boundary."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from lisa_py.agents.launch import SECRETS_FOLDER, LaunchPlan
from lisa_py.contract import session_settings
from lisa_py.contract.records import INPUT_HEAD, SessionMeta, SessionState
from lisa_py.core.context import Context
from lisa_py.core.guard.session_rules import SessionRules, ToolRules
from lisa_py.core.lifecycle import environment, limit_files
from lisa_py.core.lifecycle.launch import PreparedLaunch
from lisa_py.core.lifecycle.spawn_plan import FormerRun, SpawnPlan
from lisa_py.core.redact.redactor import Mask
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.run import find_program
from lisa_py.store import (
    child_sessions,
    dialogs,
    json_records,
    live_records,
    masked_values,
    session_folder,
    session_records,
)
from lisa_py.store.live_records import RecordedLaunch, SessionRecord
from lisa_py.store.oauth_tokens import TokenReservation
from lisa_py.store.paths import SessionRef


def build_environment(ctx: Context, spawn_plan: SpawnPlan, token: TokenReservation) -> dict[str, str]:
    """Return the environment of the agent, without the variables that describe the session."""
    agent = spawn_plan.start.agent
    found = environment.inherit_environment(ctx) | environment.read_agent_token(ctx, agent)
    if token.token:
        found[agent.oauth_variable] = token.token
    launch = spawn_plan.start.launch
    return {**found, **(launch.settings.environment or {}), **launch.secrets}


def write_session_files(
    ctx: Context, spawn_plan: SpawnPlan, prepared: PreparedLaunch, token: TokenReservation, environ: Mapping[str, str]
) -> SessionMeta:
    """Write the session folder; the pane fields stay empty. Raise LisaError(store_unwritable)."""
    ref, plan, now = spawn_plan.ref, prepared.plan, ctx.clock.now()
    session_folder.create(ref)
    routing = environment.routing_variables(
        ref,
        agent=spawn_plan.start.agent.name,
        mode=spawn_plan.mode,
        run_id=spawn_plan.run_id,
        socket=spawn_plan.server.socket,
    )
    if spawn_plan.folder != ref.project.root:
        routing["LISA_WORKTREE"] = spawn_plan.folder
    kept = {name: value for name, value in environ.items() if name not in plan.unset}
    all_variables = {**kept, **plan.env, **routing}
    if spawn_plan.start.launch.nested:
        all_variables["PATH"] = _add_launcher(ref, environ.get("PATH", os.defpath))
    tokens = (token.token, *environment.read_agent_token(ctx, spawn_plan.start.agent).values())
    masked_values.write(ref, (*spawn_plan.secret_values, *filter(None, tokens)))
    files.write(ref.environment, environment.build_script(all_variables, spawn_plan.server.environment()))
    files.write(ref.command, plan.script + "\n")
    if spawn_plan.request.debounce_key:
        files.write(ref.file("after-end.sh"), environment.after_end_script(ctx.settings, ref.project.root))
    if plan.stdin is not None:
        files.write(ref.file("stdin"), plan.stdin)
    for name, content in plan.files.items():
        files.write(ref.file(name), content)
    _write_rules(ctx, ref, spawn_plan, plan)
    if plan.secret_files:
        folder = files.ensure_private_dir(ref.file(SECRETS_FOLDER))
        for name, content in plan.secret_files.items():
            files.write(os.path.join(folder, name), content)
    if spawn_plan.former is None:
        child_sessions.begin_list(ref)
    meta = _build_meta(spawn_plan, prepared, token, all_variables, now)
    session_records.write_meta(ref, meta)
    if meta.parent_run_id:
        child_sessions.add_child(ctx.settings.get("LISA_SESSION_DIR"), meta.parent_session, ref, ctx.settings)
    limit_files.write_limits(ctx, ref, spawn_plan.request.settings, spawn_plan.run_id, now)
    live_records.write_record(ref, _build_record(spawn_plan, prepared, meta, environ))
    json_records.save(ref.state, _initial_state(spawn_plan, prepared, now))
    return meta


def _build_launch(spawn_plan: SpawnPlan, environ: Mapping[str, str]) -> RecordedLaunch:
    start, former = spawn_plan.start, spawn_plan.former
    return RecordedLaunch(
        agent_args=Mask("", spawn_plan.secret_values).mask_text(
            former.record.launch.agent_args if former else start.launch.agent_args
        ),
        trust=start.launch.trust,
        bypass=start.launch.bypass,
        nested=start.launch.nested,
        nested_policy=start.nested_policy,
        nesting_intent=start.nesting_intent,
        folder=spawn_plan.folder,
        variables=tuple(sorted(environ)),
    )


def _build_record(
    spawn_plan: SpawnPlan, prepared: PreparedLaunch, meta: SessionMeta, environ: Mapping[str, str]
) -> SessionRecord:
    request, model = spawn_plan.request, spawn_plan.start.launch.model
    effective = msgspec.structs.replace(request.settings, agent=meta.agent, model=model or request.settings.model)
    former = spawn_plan.former
    return msgspec.structs.replace(
        live_records.make_record(spawn_plan.ref, meta),
        prompt=Mask("", spawn_plan.secret_values).mask_text(meta.prompt),  # the record outlives the secrets
        family=request.family,
        definition=request.definition,
        settings=session_settings.hide_secrets(effective),
        keeps_permissions=not request.launch.skip_permissions,
        trigger_source=request.trigger_source,
        idempotent_key=request.idempotent_key,
        debounce_key=request.debounce_key,
        forked_from=request.forked_from,
        resumed_from=former.meta.run_id if former else "",
        launch=_build_launch(spawn_plan, environ),
        warnings=(*spawn_plan.warnings, *prepared.plan.warnings),
    )


def _write_rules(ctx: Context, ref: SessionRef, spawn_plan: SpawnPlan, plan: LaunchPlan) -> None:
    """Write the rules for tools and the programs by which the hook asks for a decision."""
    settings = spawn_plan.start.launch.settings
    rules = ToolRules(
        allowed=settings.allowed_tools or (), denied=settings.denied_tools or (), unattended=plan.unattended
    )
    if not plan.rule_events:
        return
    setup = SessionRules(
        rules=rules,  # without the mode: the agent itself has it
        state_dir=ctx.settings.state_dir,
        session=ref.session,
        project_root=ref.project.root,
        folder=spawn_plan.folder,
        run_id=spawn_plan.run_id,
    )
    path = ref.file("rules.json")
    json_records.save(path, setup)
    files.write(ref.file(dialogs.CLOSED_PROGRAM), environment.closed_script(spawn_plan.start.agent, path))
    for event in plan.rule_events:
        files.write(ref.file(f"rule.{event}"), environment.rule_script(spawn_plan.start.agent, event, path, setup))


def _add_launcher(ref: SessionRef, path: str) -> str:
    """Return a PATH on which the tools of the agent find lisa; write a launcher where the caller's has none."""
    if find_program("lisa", path):
        return path
    folder = files.ensure_private_dir(ref.file("bin"))
    files.write(os.path.join(folder, "lisa"), environment.launcher_script(), mode=0o700)
    return f"{path}{os.pathsep}{folder}"


def _initial_state(spawn_plan: SpawnPlan, prepared: PreparedLaunch, now: float) -> SessionState:
    """Return the turn boundary: a prompt on the command line is an input; a custom command has none."""
    prompt = spawn_plan.start.launch.prompt
    if not prompt or spawn_plan.start.custom or prepared.plan.send_prompt:
        return SessionState()
    return SessionState(last_input_at=now, last_input_text=prompt[:INPUT_HEAD], last_input_expects_turn=True)


def _build_meta(
    spawn_plan: SpawnPlan, prepared: PreparedLaunch, token: TokenReservation, environ: Mapping[str, str], now: float
) -> SessionMeta:
    start, objective = spawn_plan.start, spawn_plan.objective
    meta = SessionMeta(
        session=spawn_plan.name,
        parent_session=spawn_plan.parent,
        parent_run_id=spawn_plan.parent_run_id,
        agent=start.agent.name,
        mode=spawn_plan.mode,
        lane=spawn_plan.lane,
        oauth_token_id=token.id,
        run_id=spawn_plan.run_id,
        project_root=spawn_plan.ref.project.root,
        folder=spawn_plan.folder if spawn_plan.folder != spawn_plan.ref.project.root else "",
        worktree=spawn_plan.worktree.worktree if spawn_plan.worktree else None,
        socket_path=spawn_plan.server.socket,
        start_command=start.command,
        prompt=start.launch.prompt,
        objective_id=objective.id if objective else "",
        objective_goal=objective.goal if objective else "",
        objective_acceptance=objective.acceptance if objective else "",
        objective_budget=objective.budget if objective else 0,
        created_at=format_rfc3339(now),
        created_unix=now,
        custom_command=bool(start.custom),
        agent_session_id=prepared.plan.agent_session_id,
        agent_binary=prepared.facts.binary,
        agent_version=prepared.facts.version,
        agent_home=start.agent.home(environ),
        hooks=prepared.plan.hooks,
        width=spawn_plan.width,
        height=spawn_plan.height,
        notes=prepared.plan.notes,
    )
    return _continue_meta(meta, spawn_plan.former) if spawn_plan.former else meta


def _continue_meta(meta: SessionMeta, former: FormerRun) -> SessionMeta:
    """Keep what belongs to the session, not to one of its runs."""
    before = former.meta
    return msgspec.structs.replace(
        meta,
        worktree=before.worktree,
        former_run_ids=before.all_run_ids,
        prompt=before.prompt,
        objective_id=before.objective_id,
        objective_goal=before.objective_goal,
        objective_acceptance=before.objective_acceptance,
        objective_budget=before.objective_budget,
        created_at=before.created_at,
        first_unix=before.first_unix or before.created_unix,
        agent_session_id=former.conversation or meta.agent_session_id,
    )
