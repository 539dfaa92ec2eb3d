"""Plan a spawn: check and decide everything without creating anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from lisa_py import agents
from lisa_py.contract import command_line, session_settings
from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core import secrets, session_panes
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import credentials, launch, limit_files, names, prompt_defaults
from lisa_py.core.lifecycle.launch import ResolvedLaunch
from lisa_py.core.lifecycle.worktree_request import WorktreeRequest
from lisa_py.host.processes import Process
from lisa_py.host.tmux import Tmux
from lisa_py.store import paths
from lisa_py.store.live_records import SessionRecord
from lisa_py.store.objectives import Objective
from lisa_py.store.paths import SESSION_NAME, Project, SessionRef

if TYPE_CHECKING:
    from lisa_py.core.lifecycle.worktree import WorktreePlan


class SpawnRequest(Struct, frozen=True, kw_only=True):
    """A requested session."""

    launch: launch.LaunchRequest
    session: str = ""
    """Empty: a name is generated."""
    project_root: str = ""
    lane: str = ""
    given: frozenset[str] = frozenset()
    """Fields of the launch given by the caller; a lane fills only the others."""
    width: int = 220
    height: int = 60
    all_hashes: bool = False
    """Remove state of ended sessions of this name in other projects, too."""
    replace: bool = False
    """Kill a session of this name first."""
    settings: SessionSettings = msgspec.field(default_factory=SessionSettings)
    """Settings of a definition, a profile or the caller, with references."""
    family: str = "org"
    """Owner family of the session: org (spawn, start-session) or user (chat)."""
    definition: str = ""
    """Name of the definition that the settings come from."""
    trigger_source: str = "lisa"
    """Source of the request: lisa, cli, api, chat or schedule."""
    idempotent_key: str = ""
    debounce_key: str = ""
    forked_from: str = ""
    """Id of the session whose conversation the agent continues."""
    secrets: Mapping[str, str] = {}
    """Resolved variables of the agent by name; never written but to its 0600 environment file."""
    tools: bool = False
    """Give the agent tools for sessions of its own."""
    folder: str = ""
    """Working folder of the agent; empty: the project root, or the worktree that the caller is in."""
    worktree: WorktreeRequest | None = None
    """Make a worktree for the session."""


class FormerRun(Struct, frozen=True, kw_only=True):
    """The ended run of a session that is started again."""

    meta: SessionMeta
    record: SessionRecord
    conversation: str = ""
    """Id of the conversation that the agent continues; empty: it begins a new one."""


class SpawnPlan(Struct, frozen=True, kw_only=True):
    """A checked session that does not exist yet."""

    ref: SessionRef
    server: Tmux
    start: ResolvedLaunch
    run_id: str
    lane: str
    objective: Objective | None
    parent: str
    parent_run_id: str
    width: int
    height: int
    all_hashes: bool
    request: SpawnRequest
    """References in its settings are not resolved; those of `start` are."""
    secret_values: tuple[str, ...] = ()
    """Values that output of the session must not show."""
    warnings: tuple[str, ...] = ()
    """Limits that do not apply as requested."""
    former: FormerRun | None = None
    """The run that this one continues; None for a new session."""

    worktree: WorktreePlan | None = None
    """The worktree that is made for the session."""
    folder: str
    """Working folder of the agent."""

    @property
    def name(self) -> str:
        return self.ref.session

    @property
    def mode(self) -> str:
        return self.start.launch.mode


def plan_spawn(ctx: Context, request: SpawnRequest) -> SpawnPlan:
    """Check in the order of the contract. Raise LisaError with the code of the first error."""
    project = _resolve_project(ctx, request.project_root)
    _require_utf8(request.launch)
    launch_request, lane = prompt_defaults.apply_lane(project, request.launch, request.lane, request.given)
    launch_request, objective = prompt_defaults.apply_objective(ctx, project, launch_request, lane)
    completed = launch.complete_settings(request.settings, request.launch.skip_permissions)
    completed, warnings = limit_files.complete_limits(
        completed, ctx.settings.max_ttl_seconds, custom=bool(launch_request.command.strip())
    )
    request = msgspec.structs.replace(request, settings=completed)
    session_settings.check(request.settings)
    session_settings.check_variables(request.secrets)
    agent = agents.get(launch_request.agent or launch.choose_agent(completed))
    private = secrets.resolve_settings(ctx, project, credentials.add_stored_key(ctx, agent, request.family, completed))
    resolved = launch.resolve_launch(launch_request, private.settings, request.secrets)
    limit_files.check_prices(ctx, completed, resolved.launch.model, resolved.agent.floating_models)
    ref = SessionRef(project, _resolve_name(ctx, project, request.session, resolved))
    if request.tools:
        request, resolved = _add_tools(ctx, request, resolved, ref)
    folder = request.folder or (ctx.own_worktree() if not request.project_root else "") or project.root
    made = _plan_worktree(ctx, folder, ref, request.worktree)
    parent = ctx.settings.parent_session
    parent = parent if SESSION_NAME.match(parent) and parent != ref.session else ""
    return SpawnPlan(
        ref=ref,
        server=ctx.tmux(project),
        start=resolved,
        run_id=make_run_id(ctx),
        lane=lane,
        objective=objective,
        parent=parent,
        parent_run_id=ctx.settings.get("LISA_RUN_ID") if parent else "",
        width=request.width,
        height=request.height,
        all_hashes=request.all_hashes,
        request=request,
        worktree=made,
        folder=made.folder if made else folder,
        warnings=warnings,
        secret_values=(*private.values, *request.secrets.values()),
    )


def _plan_worktree(ctx: Context, folder: str, ref: SessionRef, wanted: WorktreeRequest | None) -> WorktreePlan | None:
    if wanted is None:
        return None
    from lisa_py.core.lifecycle import worktree  # noqa: PLC0415 - few sessions have one

    return worktree.plan_worktree(ctx, folder, ref.session, wanted)


def _add_tools(
    ctx: Context, request: SpawnRequest, resolved: ResolvedLaunch, ref: SessionRef
) -> tuple[SpawnRequest, ResolvedLaunch]:
    """Return the start with the server for sessions of its own. Raise LisaError(mcp_extra_missing)."""
    from lisa_py.core.lifecycle import tool_servers  # noqa: PLC0415 - only --tools

    tool_servers.check_extra()
    server = tool_servers.build_session_server(ctx, resolved.agent, ref)
    settings = tool_servers.add_to_settings(resolved.launch.settings, server)
    started = msgspec.structs.replace(resolved.launch, settings=settings)
    recorded = tool_servers.add_to_settings(request.settings, server)
    return msgspec.structs.replace(request, settings=recorded), msgspec.structs.replace(resolved, launch=started)


def _resolve_project(ctx: Context, root: str) -> Project:
    project = ctx.existing_project(root)
    if not os.access(project.root, os.X_OK):
        raise LisaError("invalid_project_root", f"invalid --project-root: {project.root} cannot be entered")
    if not _is_utf8(project.root):
        raise LisaError("invalid_project_root", "invalid --project-root: the folder's name is not UTF-8; rename it")
    return project


def _require_utf8(request: launch.LaunchRequest) -> None:
    """Refuse invalid UTF-8: it could be run, but not reported in an answer."""
    for field in ("prompt", "command", "agent_args", "model"):
        if not _is_utf8(getattr(request, field)):
            raise LisaError(f"invalid_{field}", f"invalid --{field.replace('_', '-')}: it is not UTF-8 text")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _resolve_name(ctx: Context, project: Project, wanted: str, resolved: ResolvedLaunch) -> str:
    name = wanted.strip()
    return (
        paths.check_name(name) if name else names.generate_name(ctx, project, resolved.agent.name, resolved.launch.mode)
    )


def make_run_id(ctx: Context) -> str:
    """Return Unix nanoseconds; the clock has microseconds, the rest is random."""
    random_part = int.from_bytes(os.urandom(4), "big") % 1000
    return str(int(ctx.clock.now() * 1_000_000) * 1000 + random_part)


def refuse_existing(ctx: Context, ref: SessionRef) -> None:
    """Raise LisaError(session_already_exists) if tmux has it, running or ended, or if it lives without tmux."""
    pane, meta = ctx.find_reachable_pane(ref), ctx.read_meta(ref)
    living = find_living_process(ctx, ref, meta) if pane is None else None
    if pane is None and living is None and meta is not None:  # before its records are removed
        pane = next(iter(ctx.tmux(ref.project).list_panes(ref.session)), None)
    if pane is None and living is None:
        if meta is not None:
            _refuse_lost(ref, meta)
        return
    how = "its agent has ended" if pane is not None and pane.dead else "it is running"
    if living is not None:
        how = f"process {living.pid} ({living.name}) is running without a tmux server that can be reached"
    raise LisaError(
        "session_already_exists",
        f"session already exists: {ref.session} ({how}); lisa session kill ends it, --replace does so first",
        session=ref.session,
    )


def _refuse_lost(ref: SessionRef, meta: SessionMeta) -> None:
    """Refuse to replace the records of a conversation that was ended with tmux or the machine."""
    from lisa_py.core.status import lost_sessions  # noqa: PLC0415 - few names have been used before

    if not lost_sessions.is_resumable(meta) or not lost_sessions.was_ended_from_outside(ref, meta):
        return
    root = ref.project.root
    resume = command_line.build("session resume", session=ref.session, project_root=root)
    kill = command_line.build("session kill", session=ref.session, project_root=root)
    raise LisaError(
        "session_already_exists",
        f"session already exists: {ref.session} (its agent was ended from outside, its conversation remains);"
        f" {resume} brings it back, {kill} archives it, --replace does so first",
        session=ref.session,
        lost=True,
    )


def find_living_process(ctx: Context, ref: SessionRef, meta: SessionMeta | None) -> Process | None:
    """Return a living process of a session without a pane; after the end of its tmux server it has a second to end."""
    deadline = ctx.clock.monotonic() + session_panes.HANGUP_SECONDS
    while (found := session_panes.find_living_process(ref, meta)) is not None:
        if meta is None or session_panes.has_living_server(meta) or ctx.clock.monotonic() > deadline:
            return found
        ctx.clock.sleep(0.02)
    return None
