"""Start an agent or a command in a new session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py import agents
from lisa_py.contract import objective as contract_objective
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import (
    AgentArgs,
    AgentName,
    AllHashes,
    KeepPermissions,
    Mode,
    Model,
    NestedPolicy,
    NestingIntent,
    ProjectRoot,
    Prompt,
    PromptFile,
    Session,
)
from lisa_py.contract.objective import ObjectiveSummary
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import launch, spawn
from lisa_py.core.lifecycle.nesting import NestedDetection
from lisa_py.core.lifecycle.spawn import SpawnSummary, summarize_spawn
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.send import input_text


class Args(Struct, kw_only=True):
    session: Session = ""
    agent: AgentName = agents.DEFAULT
    mode: Mode = "interactive"
    prompt: Prompt = ""
    prompt_file: PromptFile = ""
    project_root: ProjectRoot = ""
    lane: Annotated[str, Flag(help="lane that supplies missing values", metavar="NAME")] = ""
    command: Annotated[str, Flag(help="shell command to run instead of the agent", metavar="TEXT")] = ""
    agent_args: AgentArgs = ""
    model: Model = ""
    nested_policy: NestedPolicy = "auto"
    nesting_intent: NestingIntent = "auto"
    width: Annotated[int, Flag(help="columns of the pane", minimum=1, maximum=10_000)] = 220
    height: Annotated[int, Flag(help="rows of the pane", minimum=1, maximum=10_000)] = 60
    trust: Annotated[bool, Flag(help="trust for the project folder without a dialog")] = False
    no_dangerously_skip_permissions: KeepPermissions = False
    cleanup_all_hashes: AllHashes = False
    detect_nested: Annotated[bool, Flag(help="explanation of the sandbox decision")] = False
    replace: Annotated[bool, Flag(help="session kill of the same name first")] = False
    dry_run: Annotated[bool, Flag(help="checks and command line only; no session")] = False


class SpawnResult(SpawnSummary):
    """The session, the adaptation of its agent, and its inputs."""

    hooks: bool
    """True if the agent reports its events to lisa."""
    parent_session: str | UnsetType = UNSET
    agent_version: str | UnsetType = UNSET
    oauth_token_id: str | UnsetType = UNSET
    oauth_warning: str | UnsetType = UNSET
    """Reason why no pool token was available."""
    objective: ObjectiveSummary | UnsetType = UNSET
    nested_detection: NestedDetection | UnsetType = UNSET
    notes: tuple[str, ...] | UnsetType = UNSET
    """Arguments omitted, prevented or accepted for the installed version of the agent."""


class SpawnDryRunResult(Answer):
    """Plan of a spawn under --dry-run."""

    dry_run: bool = True
    session: str
    agent: str
    mode: str
    lane: str
    model: str
    nested_policy: str
    nesting_intent: str
    run_id: str
    project_root: str
    command: str
    startup_command: str
    """Process of the pane; it runs the command and records its end."""
    socket_path: str
    width: int
    height: int
    env: Mapping[str, str]
    """Environment of the session beyond that of the caller."""
    parent_session: str | UnsetType = UNSET
    oauth_token_id: str | UnsetType = UNSET
    oauth_warning: str | UnsetType = UNSET
    objective: ObjectiveSummary | UnsetType = UNSET
    nested_detection: NestedDetection | UnsetType = UNSET
    notes: tuple[str, ...] | UnsetType = UNSET
    """Arguments omitted, prevented or accepted for the installed version of the agent."""


def run(args: Args, ctx: Context) -> SpawnResult | SpawnDryRunResult:
    request = _build_request(args, ctx)
    if args.dry_run:
        return _build_dry_run_result(spawn.preview_spawn(ctx, request), args)
    spawned = spawn.spawn_session(ctx, request)
    _warn(ctx, spawned)
    return _build_result(spawned, args)


def _warn(ctx: Context, spawned: spawn.SpawnReport) -> None:
    if spawned.oauth_warning:
        ctx.warn(f"oauth warning: {spawned.oauth_warning}")
    for warning in spawned.warnings:
        ctx.warn(f"spawn warning: {warning}")
    if spawned.end is not None and spawned.end.code:
        ctx.warn(f"spawn warning: the command has already ended with code {spawned.end.code}")


def _build_request(args: Args, ctx: Context) -> SpawnRequest:
    if args.prompt and args.prompt_file:
        raise UsageError("prompt_conflict", "--prompt cannot be combined with --prompt-file")
    prompt = input_text.read_text_file(ctx, args.prompt_file, "prompt-file") if args.prompt_file else args.prompt
    return SpawnRequest(
        launch=launch.build_request(
            args,
            prompt,
            command=args.command,
            skip_permissions=not args.no_dangerously_skip_permissions,
            trust=args.trust,
        ),
        session=args.session,
        project_root=args.project_root,
        lane=args.lane,
        given=ctx.given_fields | {"prompt"} if args.prompt_file else ctx.given_fields,
        width=args.width,
        height=args.height,
        replace=args.replace,
        all_hashes=args.cleanup_all_hashes or ctx.settings.cleanup_all_hashes,
    )


def _build_result(spawned: spawn.SpawnReport, args: Args) -> SpawnResult:
    draft, meta = spawned.spawn_plan, spawned.meta
    return SpawnResult(
        **structs.asdict(summarize_spawn(spawned)),
        hooks=meta.hooks,
        parent_session=draft.parent or UNSET,
        agent_version=meta.agent_version or UNSET,
        oauth_token_id=meta.oauth_token_id or UNSET,
        oauth_warning=spawned.oauth_warning or UNSET,
        objective=contract_objective.from_record(draft.objective),
        nested_detection=draft.start.effective_detection() if args.detect_nested else UNSET,
        notes=meta.notes or UNSET,
    )


def _build_dry_run_result(plan: spawn.SpawnPreview, args: Args) -> SpawnDryRunResult:
    draft, resolved = plan.spawn_plan, plan.spawn_plan.start
    return SpawnDryRunResult(
        session=draft.name,
        agent=resolved.agent.name,
        mode=draft.mode,
        lane=draft.lane,
        model=resolved.launch.model,
        nested_policy=resolved.nested_policy,
        nesting_intent=resolved.nesting_intent,
        run_id=draft.run_id,
        project_root=draft.ref.project.root,
        command=plan.shown.command,
        startup_command=plan.startup_command,
        socket_path=draft.server.socket,
        width=draft.width,
        height=draft.height,
        env=plan.env,
        parent_session=draft.parent or UNSET,
        oauth_token_id=plan.token.id or UNSET,
        oauth_warning=plan.token.warning or UNSET,
        objective=contract_objective.from_record(draft.objective),
        nested_detection=resolved.effective_detection() if args.detect_nested else UNSET,
        notes=plan.shown.notes or UNSET,
    )


def text(answer: SpawnResult | SpawnDryRunResult, args: Args) -> str:
    if isinstance(answer, SpawnDryRunResult):
        return f"{answer.session}\ndry-run socket: {answer.socket_path}\ndry-run command: {answer.command}"
    return answer.session


COMMAND = Command(
    args=Args,
    answer=SpawnResult | SpawnDryRunResult,
    run=run,
    text=text,
    errors=(
        *launch.ERRORS,
        "agent_command_build_failed",
        "session_already_exists",
        "session_kill_failed",
        "lane_not_found",
        "lane_load_failed",
        "invalid_prompt",
        "invalid_command",
        "invalid_agent_args",
        "prompt_conflict",
        "invalid_prompt_file",
        "agent_not_installed",
        "spawn_tmux_new_failed",
        "spawn_early_exit",
        "spawn_oauth_selection_failed",
    ),
    example='lisa session spawn --agent claude --mode interactive --prompt "Review this repo" --json',
    notes="The session inherits the environment of the caller. It stays readable after its command has ended, until"
    " lisa session kill removes it.",
)
