"""Start an agent (or any command) in a new session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py import agents
from lisa_py.contract import objective as contract_objective
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
from lisa_py.core.lifecycle import launch, rehearsal, spawn
from lisa_py.core.lifecycle.born import SpawnSummary, summarize_spawn
from lisa_py.core.lifecycle.nesting import NestedDetection
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.send import input_text


class Args(Struct, kw_only=True):
    session: Session = ""
    agent: AgentName = agents.DEFAULT
    mode: Mode = "interactive"
    prompt: Prompt = ""
    prompt_file: PromptFile = ""
    project_root: ProjectRoot = ""
    lane: Annotated[str, Flag(help="take what is not given from this lane", metavar="NAME")] = ""
    command: Annotated[str, Flag(help="run this shell text instead of the agent", metavar="TEXT")] = ""
    agent_args: AgentArgs = ""
    model: Model = ""
    nested_policy: NestedPolicy = "auto"
    nesting_intent: NestingIntent = "auto"
    width: Annotated[int, Flag(help="columns of the pane", minimum=1, maximum=10_000)] = 220
    height: Annotated[int, Flag(help="rows of the pane", minimum=1, maximum=10_000)] = 60
    trust: Annotated[bool, Flag(help="trust the project folder for this agent beforehand, so that it does not ask")] = (
        False
    )
    no_dangerously_skip_permissions: KeepPermissions = False
    cleanup_all_hashes: AllHashes = False
    detect_nested: Annotated[bool, Flag(help="say why the session does or does not run without a sandbox")] = False
    dry_run: Annotated[bool, Flag(help="check everything and show what would be started; make nothing")] = False


class SpawnResult(SpawnSummary, frozen=True, kw_only=True, rename="camel"):
    """The session, how its agent was fitted to lisa, and what it was given to work by."""

    hooks: bool
    """Whether the agent reports its events to lisa by itself."""
    parent_session: str | UnsetType = UNSET
    agent_version: str | UnsetType = UNSET
    oauth_token_id: str | UnsetType = UNSET
    oauth_warning: str | UnsetType = UNSET
    """Why no token of the pool was to be had."""
    objective: ObjectiveSummary | UnsetType = UNSET
    nested_detection: NestedDetection | UnsetType = UNSET
    notes: tuple[str, ...] | UnsetType = UNSET
    """What was left out, prevented or accepted for the installed version of the agent."""


class SpawnDryRunResult(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a spawn would start; nothing was made."""

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
    """The pane's own process; it runs the command and records how it goes."""
    socket_path: str
    width: int
    height: int
    env: Mapping[str, str]
    """What the session is told about itself, beside the caller's own environment."""
    parent_session: str | UnsetType = UNSET
    oauth_token_id: str | UnsetType = UNSET
    oauth_warning: str | UnsetType = UNSET
    objective: ObjectiveSummary | UnsetType = UNSET
    nested_detection: NestedDetection | UnsetType = UNSET


def run(args: Args, ctx: Context) -> SpawnResult | SpawnDryRunResult:
    request = _build_request(args, ctx)
    if args.dry_run:
        return _build_dry_run_result(rehearsal.preview_spawn(ctx, request), args)
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
        raise UsageError("prompt_conflict", "give --prompt or --prompt-file, not both")
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


def _build_dry_run_result(plan: rehearsal.SpawnPreview, args: Args) -> SpawnDryRunResult:
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
        command=resolved.command,
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
    errors={
        **launch.ERRORS,
        "session_already_exists": "tmux has a session of this name, running or ended; kill it or take another name",
        "lane_not_found": "the project has no lane of this name",
        "lane_load_failed": "the project's lanes cannot be read",
        "invalid_prompt": "the prompt is not UTF-8 text",
        "invalid_command": "the command is not UTF-8 text",
        "invalid_agent_args": "the arguments are not UTF-8 text",
        "invalid_width": "not a number of at least 1",
        "invalid_height": "not a number of at least 1",
        "prompt_conflict": "--prompt and --prompt-file are both given",
        "invalid_prompt_file": "the file cannot be read or is too large",
        "agent_not_installed": "the agent's program is not on PATH",
        "spawn_tmux_new_failed": "tmux made no session, or nothing started in it; the message says why",
        "spawn_early_exit": "the agent ended at once with the code in exitCode; output holds what it said",
        "spawn_oauth_selection_failed": "the token of the pool was taken away while the session started",
    },
    example='lisa session spawn --agent claude --mode interactive --prompt "Review this repo" --json',
    notes="The session gets the environment of the caller. It stays, readable, after its command has ended, until"
    " lisa session kill removes it.",
)
