"""Resume a session whose agent has ended: the same name and records, exactly its own conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract import command_line, session_settings
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import CancellationError, LisaError, session_not_found
from lisa_py.contract.quoting import quote
from lisa_py.contract.records import SessionMeta
from lisa_py.core import secrets
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import (
    credentials,
    environment,
    former_run,
    kill,
    launch,
    spawn,
    spawn_plan,
    terminate,
)
from lisa_py.core.lifecycle.spawn_plan import FormerRun, SpawnPlan, SpawnRequest
from lisa_py.core.send import send
from lisa_py.core.status import agent_reports
from lisa_py.host import files
from lisa_py.host.pane import Pane
from lisa_py.store import limit_records, live_records, session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.live_records import SessionRecord
from lisa_py.store.paths import SessionRef

SHOWN_NAMES = 12
"""Number of variables that a warning names."""
_HEAD_BYTES = 1 << 20
"""Beginning of a transcript that is searched for a prompt or an answer."""

ResumeMethod = Literal["conversation", "new", "rerun"]


class ResumeRequest(Struct, frozen=True, kw_only=True):
    """A requested resume."""

    prompt: str = ""
    """Sent once the agent is ready; empty: the agent stays idle."""
    rerun: bool = False
    """Run a custom command again."""


class ResumedSession(Answer):
    """A session that runs again, or would."""

    session: str
    project_root: str
    agent: str
    method: ResumeMethod
    """conversation: the agent continues it; new: there was no prompt yet, so it begins one; rerun: a command."""
    conversation: str | UnsetType = UNSET
    """The agent's id of the conversation."""
    resumed_from: str
    """Run id of the ended run."""
    run_id: str | UnsetType = UNSET
    """Not in a dry run."""
    command: str
    """Command line of the agent."""
    parent_session: str | UnsetType = UNSET
    prompt_sent: bool | UnsetType = UNSET
    """True if the agent accepted the prompt."""
    missing_variables: tuple[str, ...] | UnsetType = UNSET
    """Names of the variables that the ended run had and this caller has not."""
    warnings: tuple[str, ...] | UnsetType = UNSET


class _ResumePlan(Struct, frozen=True, kw_only=True):
    """A checked resume: nothing is started yet."""

    spawn: SpawnPlan
    method: ResumeMethod
    missing: tuple[str, ...]
    pane: Pane | None
    """The pane of the ended agent, if tmux still has it."""


class _Conversation(Struct, frozen=True, kw_only=True):
    """The conversation of a session."""

    id: str = ""
    """Empty: there is none yet, and the agent begins one."""
    arguments: str
    """Of the agent, to continue or begin it."""
    warnings: tuple[str, ...] = ()


def resume_session(ctx: Context, ref: SessionRef, request: ResumeRequest) -> ResumedSession:
    """Start the agent of an ended session again.

    Raise LisaError: session_not_found, session_running, not_resumable, conversation_missing, conversation_unknown,
    folder_missing,     agent_not_installed, and those of a spawn; then the records are as before.
    """
    _require_records(ref)
    with spawn.lock_name(ctx, ref):
        plan = _plan_resume(ctx, ref, request)
        if plan.pane is not None:
            kill.remove_ended_pane(ctx, ref, plan.pane)
        terminate.end_processes(ctx, [terminate.find_run(ref, None)], grace=1.0)
        spawned = spawn.start_again(ctx, plan.spawn)
    resumed = _describe(ctx, plan, spawned.command)
    warnings = (*(resumed.warnings or ()), *(spawned.warnings or ()))
    resumed = msgspec.structs.replace(resumed, run_id=spawned.run_id, warnings=tuple(dict.fromkeys(warnings)) or UNSET)
    return _send_prompt(ctx, ref, resumed, request.prompt) if request.prompt else resumed


def preview_resume(ctx: Context, ref: SessionRef, request: ResumeRequest) -> ResumedSession:
    """Return what a resume would do; raise its errors up to its first action."""
    _require_records(ref)
    plan = _plan_resume(ctx, ref, request)
    start = plan.spawn.start
    shown = launch.show_launch(ctx, start, plan.spawn.folder)
    return _describe(ctx, plan, shown.command)


def _require_records(ref: SessionRef) -> None:
    if ref.archive:
        fork = command_line.build("session fork", session=ref.archive)
        raise LisaError(
            "session_not_found",
            f"{ref.session} ({ref.archive}) was killed; {fork} continues a copy of its conversation",
            session=ref.session,
        )
    if not files.exists(ref.meta):
        raise session_not_found(ref.session, ref.project.root)


def _describe(ctx: Context, plan: _ResumePlan, command: str) -> ResumedSession:
    former = plan.spawn.former
    assert former is not None
    warnings = (*plan.spawn.warnings, *_describe_missing(plan.missing))
    return ResumedSession(
        session=plan.spawn.name,
        project_root=plan.spawn.ref.project.root,
        agent=former.meta.agent,
        method=plan.method,
        conversation=former.conversation or UNSET,
        resumed_from=former.meta.run_id,
        command=command,
        parent_session=former.meta.parent_session or UNSET,
        missing_variables=plan.missing or UNSET,
        warnings=warnings or UNSET,
    )


def _describe_missing(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return (f"variables of the earlier run that are not set here: {', '.join(names[:SHOWN_NAMES])}{more}",)


def _send_prompt(ctx: Context, ref: SessionRef, resumed: ResumedSession, prompt: str) -> ResumedSession:
    """Send the prompt; the session stays even if it is not accepted."""
    try:
        sent = send.send_payload(ctx, ref, send.SendPayload(text=prompt, enter=True))
    except CancellationError:
        raise
    except LisaError as problem:
        warnings = (*(resumed.warnings or ()), f"the prompt was not sent: {problem.message}")
        return msgspec.structs.replace(resumed, prompt_sent=False, warnings=warnings)
    return msgspec.structs.replace(resumed, prompt_sent=sent.delivered is True)


# -- planning -----------------------------------------------------------------------------------------------------


def _plan_resume(ctx: Context, ref: SessionRef, request: ResumeRequest) -> _ResumePlan:
    """Check everything that can be known before the start."""
    meta, record = ctx.read_meta(ref), live_records.read_readable(ref)
    if meta is None or record is None:
        raise session_not_found(ref.session, ref.project.root)
    pane = _find_ended_pane(ctx, ref, meta)
    if meta.mode == "exec" or (meta.custom_command and not request.rerun):
        kind = "a command: --rerun runs it again" if meta.custom_command else f"a run of {meta.agent} without dialogue"
        raise _refuse(ref, "not_resumable", f"it is {kind}")
    if not files.is_dir(record.launch.folder or ref.project.root):
        folder = record.launch.folder or ref.project.root
        how = (
            f"git worktree add {quote(meta.worktree.path)} {quote(meta.worktree.branch)}"
            if meta.worktree
            else "it may be empty"
        )
        raise _refuse(ref, "folder_missing", f"its working folder {folder} does not exist; create it ({how})")
    if meta.custom_command:
        return _build_plan(ctx, ref, FormerRun(meta=meta, record=record), "rerun", "", pane)
    agent = agents.get(meta.agent)
    if agent.binaries and not launch.find_binary(agent, ctx.settings.environ):
        raise _refuse(ref, "agent_not_installed", f"{agent.title} is not on PATH ({', '.join(agent.binaries)})")
    found = _find_conversation(ctx, ref, meta, record, agent)
    former = FormerRun(meta=meta, record=record, conversation=found.id)
    plan = _build_plan(ctx, ref, former, "conversation" if found.id else "new", found.arguments, pane)
    spawned = msgspec.structs.replace(plan.spawn, warnings=(*found.warnings, *plan.spawn.warnings))
    return msgspec.structs.replace(plan, spawn=spawned)


def _refuse(ref: SessionRef, code: str, reason: str) -> LisaError:
    return LisaError(code, f"cannot resume {ref.session}: {reason}", session=ref.session, reason=reason)


def _find_ended_pane(ctx: Context, ref: SessionRef, meta: SessionMeta) -> Pane | None:
    """Return the pane of the ended agent, None if tmux has none. Raise LisaError(session_running)."""
    pane = ctx.find_reachable_pane(ref)
    living = spawn_plan.find_living_process(ctx, ref, meta) if pane is None else None
    if living is not None or (pane is not None and not pane.dead):
        who = f"process {living.pid} ({living.name})" if living is not None else "its agent"
        reason = f"{who} is running; lisa session kill ends it"
        raise _refuse(ref, "session_running", reason)
    return pane


def _find_conversation(
    ctx: Context, ref: SessionRef, meta: SessionMeta, record: SessionRecord, agent: Agent
) -> _Conversation:
    """Return the session's own newest conversation, or that it has none yet.

    Raise LisaError(not_resumable | conversation_missing | conversation_unknown).
    """
    every = former_run.read_own_hooks(ctx, ref, meta)
    view = agent_reports.build_view(ctx, ref, agent, meta)
    view.hooks = _select_newest_hooks(every, meta)
    binding = agent.bind(view)
    prompted = {hook.get("session_id") for hook in every if agent.turn_edge(hook) == "prompt"}
    was_accepted = bool(prompted) or _has_accepted_input(ref, meta)
    given = record.launch.agent_args
    new = _Conversation(arguments=agent.drop_conversation(given) if was_accepted else given)
    if _was_cleared(ref, agent, view.hooks) or (meta.former_run_ids and not view.hooks and not meta.agent_session_id):
        return new
    is_certain = binding.source in ("hook", "spawn") and bool(binding.session_id)
    if is_certain and _has_content(agent, binding.transcript):
        arguments = agent.build_resume_arguments(binding.session_id, given)
        if not arguments:
            raise _refuse(ref, "not_resumable", f"{agent.title} cannot continue a conversation")
        known = () if view.hooks else ("the agent has reported no conversation: that of its start is continued",)
        return _Conversation(id=binding.session_id, arguments=arguments, warnings=known)
    if is_certain and (binding.session_id in prompted or (was_accepted and not prompted)):
        where = binding.transcript or f"of {binding.session_id}"
        raise _refuse(ref, "conversation_missing", f"the transcript {where} does not exist or is empty")
    if not is_certain and was_accepted:
        raise _refuse(ref, "conversation_unknown", f"{agent.title} has reported none, so its own is not certain")
    if meta.prompt and not was_accepted:
        return msgspec.structs.replace(new, warnings=("the agent has not taken its first prompt: send it again",))
    return new


def _select_newest_hooks(every: Sequence[Mapping[str, object]], meta: SessionMeta) -> tuple[Mapping[str, object], ...]:
    """Return the hooks that decide: those of the newest run, else those of the conversation that it was given."""
    if not meta.former_run_ids:
        return tuple(every)
    newest = tuple(hook for hook in every if hook.get("run", meta.run_id) == meta.run_id)
    return newest or tuple(hook for hook in every if hook.get("session_id") == meta.agent_session_id)


def _has_accepted_input(ref: SessionRef, meta: SessionMeta) -> bool:
    """Return True if the agent took a prompt, or may have: one without hooks does not report it."""
    try:
        state = session_records.read_state(ref)
    except UnreadableRecord:
        return True
    return bool(state.last_input_accepted_at) or (
        not meta.hooks and (bool(meta.prompt) or state.last_input_expects_turn)
    )


def _was_cleared(ref: SessionRef, agent: Agent, hooks: Sequence[Mapping[str, object]]) -> bool:
    """Return True if the newest input began a new conversation, which the agent has not reported yet."""
    try:
        state = session_records.read_state(ref)
    except UnreadableRecord:
        return False
    at = hooks[-1].get("at") if hooks else 0.0
    is_newer = state.last_input_at > (float(at) if isinstance(at, int | float) else 0.0)
    return is_newer and state.last_input_text.strip() in agent.clearing_inputs


def _has_content(agent: Agent, transcript: str) -> bool:
    """Return True if the transcript holds a prompt or an answer."""
    at = 0
    for line in files.read_from(transcript, 0, _HEAD_BYTES).split(b"\n") if transcript else ():
        at += len(line) + 1
        if any(frame.kind in ("user", "assistant") for frame in (agent.parse_frames(line, at) if line else ())):
            return True
    return files.size(transcript) > _HEAD_BYTES if transcript else False


def _build_plan(
    ctx: Context, ref: SessionRef, former: FormerRun, method: ResumeMethod, arguments: str, pane: Pane | None
) -> _ResumePlan:
    """Plan the start with the recorded settings; secrets that were given by value are not recorded."""
    meta, record = former.meta, former.record
    known = record.launch
    settings, dropped = session_settings.drop_hidden(record.settings)
    if (limits := limit_records.read_limits(ref, meta.run_id)) is not None:  # it may have been changed since the start
        settings = msgspec.structs.replace(settings, on_limit=limits.on_limit or UNSET)
    request = SpawnRequest(
        launch=launch.LaunchRequest(
            agent=meta.agent,
            mode=meta.mode,
            command=meta.start_command if meta.custom_command else "",
            agent_args=arguments,
            nested_policy=known.nested_policy,
            nesting_intent=known.nesting_intent,
            skip_permissions=not record.keeps_permissions,
            trust=known.trust,
        ),
        session=ref.session,
        project_root=ref.project.root,
        width=meta.width or 220,
        height=meta.height or 60,
        settings=settings,
        family=record.family,
        definition=record.definition,
        trigger_source=record.trigger_source,
        idempotent_key=record.idempotent_key,
        debounce_key=record.debounce_key,
        forked_from=record.forked_from,
    )
    agent = agents.get(meta.agent)
    private = secrets.resolve_settings(
        ctx, ref.project, credentials.add_stored_key(ctx, agent, record.family, settings)
    )
    resolved = launch.resolve_launch(request.launch, private.settings)
    start = msgspec.structs.replace(resolved.launch, bypass=known.bypass, nested=known.nested)
    plan = SpawnPlan(
        ref=ref,
        server=ctx.tmux(ref.project),
        start=msgspec.structs.replace(resolved, launch=start),
        run_id=spawn_plan.make_run_id(ctx),
        lane=meta.lane,
        objective=None,
        parent=meta.parent_session,
        parent_run_id=meta.parent_run_id,
        width=request.width,
        height=request.height,
        all_hashes=False,
        request=request,
        secret_values=private.values,
        warnings=dropped,
        former=former,
        folder=known.folder or ref.project.root,
    )
    inherited = environment.inherit_environment(ctx)
    given = {*inherited, *(settings.environment or ()), agent.oauth_variable}
    missing = tuple(name for name in known.variables if name not in given)
    return _ResumePlan(spawn=plan, method=method, missing=missing, pane=pane)
