"""Print the command line of an agent."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import (
    MODE_ALIASES,
    MODES,
    AgentArgs,
    AgentName,
    KeepPermissions,
    Model,
    NestedPolicy,
    NestingIntent,
    ProjectRoot,
    Prompt,
)
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import launch
from lisa_py.core.lifecycle.nesting import NestedDetection

Mode = Annotated[
    str,
    Flag(
        help="interactive session or one-shot run",
        choices=MODES,
        aliases=MODE_ALIASES,
        code="agent_command_build_failed",
    ),
]


class Args(Struct, kw_only=True):
    agent: AgentName = agents.DEFAULT
    mode: Mode = "interactive"
    nested_policy: NestedPolicy = "auto"
    nesting_intent: NestingIntent = "auto"
    prompt: Prompt = ""
    agent_args: AgentArgs = ""
    model: Model = ""
    no_dangerously_skip_permissions: KeepPermissions = False
    project_root: ProjectRoot = ""


class BuildCommandResult(Answer):
    agent: str
    mode: str
    project_root: str
    prompt: str
    nested_policy: str
    nesting_intent: str
    nested_detection: NestedDetection
    command: str
    """The line that spawn runs, without what lisa adds for itself (session id, hooks, title)."""
    notes: tuple[str, ...] | UnsetType = UNSET
    """Arguments omitted, prevented or accepted for the installed version of the agent."""


def run(args: Args, ctx: Context) -> BuildCommandResult:
    skip_permissions = not args.no_dangerously_skip_permissions
    resolved = launch.resolve_launch(launch.build_request(args, args.prompt, skip_permissions=skip_permissions))
    project = ctx.project(args.project_root)
    shown = launch.show_launch(ctx, resolved, project.root)
    return BuildCommandResult(
        agent=resolved.agent.name,
        mode=resolved.launch.mode,
        project_root=project.root,
        prompt=args.prompt,
        nested_policy=resolved.nested_policy,
        nesting_intent=resolved.nesting_intent,
        nested_detection=resolved.detection,
        command=shown.command,
        notes=shown.notes or UNSET,
    )


def text(answer: BuildCommandResult, args: Args) -> str:
    return answer.command


COMMAND = Command(
    group="planning",
    args=Args,
    answer=BuildCommandResult,
    run=run,
    text=text,
    errors=(*launch.ERRORS, "invalid_mode"),
    example='lisa agent build-cmd --agent codex --mode exec --prompt "Run the tests"',
    notes="""
The line that spawn runs, adapted to the installed version of the agent: unknown flags are replaced by equivalents, as
`notes` report. The flags that lisa adds for itself (session id, hooks, title) are left out.
""",
)
