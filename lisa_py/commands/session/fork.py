"""Start a new session that continues a copy of a session's conversation."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import KeepPermissions, ProjectRoot, Prompt, Session
from lisa_py.core import secrets
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import fork
from lisa_py.core.lifecycle.fork import ForkRequest


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    as_: Annotated[str, Flag(help="name of the new session; default: generated", metavar="NAME")] = ""
    prompt: Prompt = ""
    no_dangerously_skip_permissions: KeepPermissions = False


class ForkResult(Answer):
    session: str
    """The new session."""
    id: str
    forked_from: str
    """Id of the source."""
    method: Literal["agent", "prompt"]
    """agent: the agent itself has copied the conversation; prompt: the conversation is the first prompt, because the
    agent cannot copy it or its transcript is gone."""
    agent: str
    project_root: str
    warnings: tuple[str, ...] | UnsetType = UNSET


def run(args: Args, ctx: Context) -> ForkResult:
    ref = ctx.record_ref(args.session, args.project_root)
    request = ForkRequest(name=args.as_, prompt=args.prompt, skip_permissions=not args.no_dangerously_skip_permissions)
    report = fork.fork_session(ctx, ref, request)
    for warning in report.spawned.warnings or ():
        ctx.warn(f"fork warning: {warning}")
    return ForkResult(
        session=report.spawned.session,
        id=report.spawned.id,
        forked_from=report.source,
        method=report.method,
        agent=report.spawned.agent,
        project_root=report.spawned.project_root,
        warnings=report.spawned.warnings,
    )


COMMAND = Command(
    group="handing_on",
    args=Args,
    answer=ForkResult,
    run=run,
    text=lambda answer, args: answer.session,
    min=("session", "id", "forked_from"),
    errors=(
        "session_not_found",
        "session_not_forkable",
        "session_already_exists",
        "agent_not_installed",
        "agent_command_build_failed",
        "archive_unreadable",
        "invalid_prompt",
        "spawn_tmux_new_failed",
        "spawn_early_exit",
        "spawn_oauth_selection_failed",
        "invalid_prices",
        "price_unknown",
        *secrets.ERRORS,
    ),
    example='lisa session fork --session lisa-demo-1 --as lisa-demo-2 --prompt "Try the other way"',
    notes="""\
The source is idle, has ended, or is an archive; its conversation is not changed. The new session gets the settings of
the source, but no secrets that were given by value. An agent that asks for permissions is copied as one that asks.
Where the agent does not copy its transcript (codex), session history of the fork begins with its own first prompt.""",
)
