"""Start an agent or a command in a new session."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import (
    AgentArgs,
    AgentName,
    AllHashes,
    Columns,
    KeepPermissions,
    Mode,
    NestedPolicy,
    NestingIntent,
    OnLimit,
    ProjectRoot,
    Prompt,
    PromptFile,
    Rows,
    Session,
    Trust,
)
from lisa_py.contract.projection import omit
from lisa_py.contract.start_session import DEFINITION_ERRORS, AgentSettingsArgs
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import launch, settings_flags, spawn, worktree_request
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.lifecycle.spawn_result import SpawnDryRunResult, SpawnResult
from lisa_py.core.lifecycle.worktree_request import WorktreeRequest
from lisa_py.core.send import input_text


class Args(AgentSettingsArgs, kw_only=True):
    session: Session = ""
    agent: AgentName = agents.DEFAULT
    mode: Mode = "interactive"
    prompt: Prompt = ""
    prompt_file: PromptFile = ""
    project_root: ProjectRoot = ""
    definition: Annotated[str, Flag(help="definition that supplies settings and prompt", metavar="NAME")] = ""
    lane: Annotated[str, Flag(help="lane that supplies missing values", metavar="NAME")] = ""
    command: Annotated[str, Flag(help="shell command to run instead of the agent", metavar="TEXT")] = ""
    agent_args: AgentArgs = ""
    nested_policy: NestedPolicy = "auto"
    nesting_intent: NestingIntent = "auto"
    width: Columns = 220
    height: Rows = 60
    trust: Trust = False
    no_dangerously_skip_permissions: KeepPermissions = False
    cleanup_all_hashes: AllHashes = False
    detect_nested: Annotated[bool, Flag(help="explanation of the sandbox decision")] = False
    tools: Annotated[bool, Flag(help="tools for own sessions (MCP)")] = False
    worktree: Annotated[bool, Flag(help="separate git worktree on branch lisa/NAME")] = False
    worktree_name: Annotated[str, Flag(help="name of worktree and branch, if not the session's", metavar="NAME")] = ""
    base: Annotated[str, Flag(help="branch or commit for --worktree", metavar="REF")] = ""
    worktree_setup: Annotated[str, Flag(help="SHA-256 of the repository's set-up program", metavar="HASH")] = ""
    replace: Annotated[bool, Flag(help="session kill of the same name first")] = False
    on_limit: OnLimit = ""
    dry_run: Annotated[bool, Flag(help="checks and command line only; no session")] = False


class MinimalSpawnResult(Answer):
    session: str
    notes: tuple[str, ...] | UnsetType = UNSET


def run(args: Args, ctx: Context) -> SpawnResult | SpawnDryRunResult:
    request = _build_request(args, ctx)
    hidden = () if args.detect_nested else ("nested_detection",)
    if args.dry_run:
        return omit(spawn.preview_spawn(ctx, request), *hidden)
    spawned = spawn.spawn_session(ctx, request)
    _warn(ctx, spawned)
    return omit(spawned, *hidden)


def _warn(ctx: Context, spawned: SpawnResult) -> None:
    if ctx.output_format == "text":
        for note in spawned.notes or ():
            ctx.warn(f"note: {note}")
    if spawned.oauth_warning:
        ctx.warn(f"oauth warning: {spawned.oauth_warning}")
    for warning in spawned.warnings or ():
        ctx.warn(f"spawn warning: {warning}")
    if spawned.exit_code:
        ctx.warn(f"spawn warning: the command has already ended with code {spawned.exit_code}")


def _build_request(args: Args, ctx: Context) -> SpawnRequest:
    if args.prompt and args.prompt_file:
        raise UsageError("prompt_conflict", "--prompt cannot be combined with --prompt-file")
    prompt = input_text.read_text_file(ctx, args.prompt_file, "prompt-file") if args.prompt_file else args.prompt
    settings = settings_flags.read_settings_flags(ctx, args)
    is_chosen = args.provider and "agent" not in ctx.given_fields
    if (args.worktree_name or args.base or args.worktree_setup) and not args.worktree:
        raise UsageError("worktree_required", "--worktree-name, --base and --worktree-setup go with --worktree")
    request = SpawnRequest(
        launch=launch.build_request(
            args,
            prompt,
            agent=launch.choose_agent(settings) if is_chosen else args.agent,
            command=args.command,
            skip_permissions=not args.no_dangerously_skip_permissions,
            trust=args.trust,
        ),
        session=args.session,
        project_root=args.project_root,
        lane=args.lane,
        given=ctx.given_fields | {"prompt"} if args.prompt_file else ctx.given_fields,
        tools=args.tools,
        worktree=WorktreeRequest(name=args.worktree_name, base=args.base, setup=args.worktree_setup)
        if args.worktree
        else None,
        width=args.width,
        height=args.height,
        replace=args.replace,
        settings=msgspec.structs.replace(
            settings, model=UNSET, on_limit=args.on_limit or UNSET
        ),  # the launch has the model of the flag
        all_hashes=args.cleanup_all_hashes or ctx.settings.cleanup_all_hashes,
    )
    if not args.definition:
        return request
    from lisa_py.core.lifecycle import start_session  # noqa: PLC0415 - definitions, templates and keys

    return start_session.apply_definition(ctx, request, args.definition)


def minimize(answer: SpawnResult | SpawnDryRunResult, args: Args) -> MinimalSpawnResult:
    return MinimalSpawnResult(session=answer.session, notes=answer.notes)


def text(answer: SpawnResult | SpawnDryRunResult, args: Args) -> str:
    if isinstance(answer, SpawnDryRunResult):
        return f"{answer.session}\ndry-run socket: {answer.socket_path}\ndry-run command: {answer.command}"
    return answer.session


COMMAND = Command(
    group="daily",
    args=Args,
    answer=SpawnResult | SpawnDryRunResult,
    run=run,
    text=text,
    min=minimize,
    errors=(
        *launch.ERRORS,
        *settings_flags.ERRORS,
        *DEFINITION_ERRORS,
        *worktree_request.ERRORS,
        "worktree_required",
        "agent_command_build_failed",
        "mcp_extra_missing",
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
    " lisa session kill removes it.\n\nValues of --env and of the headers and env of MCP servers may be references"
    " (secret://NAME, env:NAME, file:PATH). --allowed-tools alone implies --permission-mode acceptEdits. Settings that"
    " the agent cannot apply are in `warnings`.\n\n--worktree makes a branch lisa/NAME (from --base, else HEAD) and its"
    " folder in REPOSITORY.lisa beside the repository (LISA_WORKTREE_DIR: elsewhere); the agent works there, the"
    " session stays one of the project. NAME is the session's, or --worktree-name. Ignored files that .worktreeinclude"
    " lists are copied, submodules are checked out. session kill removes the worktree if nothing can be lost.",
)
