"""Start a chat of this user and talk to it: typed lines are prompts."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, structs

from lisa_py.contract.client_answers import DetachResult
from lisa_py.contract.client_flags import ClientArgs, Verbose
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import AgentName, IdempotentKey
from lisa_py.contract.live import LiveFrame
from lisa_py.contract.start_session import SettingsArgs, add_start_flags
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import attached_chat, launch, settings_flags
from lisa_py.core.lifecycle.chat import ChatRequest
from lisa_py.core.live import owned_sessions


class _ChatArgs(SettingsArgs, kw_only=True):
    prompt: Annotated[str, Flag(help="first prompt", metavar="TEXT", positional=True)] = ""
    agent: AgentName = ""
    name: Annotated[str, Flag(help="title of the session", metavar="TEXT")] = ""
    idempotent_key: IdempotentKey = ""
    verbose: Verbose = False


Args = add_start_flags(ClientArgs, _ChatArgs)


def run(args: Any, ctx: Context) -> DetachResult:
    root = owned_sessions.find_root(ctx, args.oid, args.project_root)
    settings = structs.replace(settings_flags.read_settings_flags(ctx, args), name=args.name or UNSET)
    request = ChatRequest(
        prompt=args.prompt,
        agent=args.agent,
        project_root=root,
        idempotent_key=args.idempotent_key,
        settings=settings,
    )
    is_raw = ctx.output_format != "text"
    found, outcome = attached_chat.start_chat(ctx, request, raw=is_raw, verbose=args.verbose, by_name=False)
    return DetachResult(session_id=found, ended=outcome.ended, frames=outcome.frames, cursor=outcome.cursor)


COMMAND = Command(
    group="live",
    args=Args,
    answer=DetachResult,
    run=run,
    text=lambda answer, args: "",
    newline=False,
    live=True,
    events=LiveFrame,
    errors=(
        *launch.ERRORS,
        *settings_flags.ERRORS,
        "agent_not_installed",
        "not_logged_in",
        "project_not_found",
        "spawn_early_exit",
        "spawn_tmux_new_failed",
    ),
    exits={0: "left, or the session has ended", 1: "refused or failed", 4: "a value is out of range"},
    example='lisa ai chat "Explain this project" --max-turns 20',
    notes="""\
/interrupt ends the turn of the agent; /quit, the end of the input and Ctrl-C leave. The session keeps running:
ai session attach --interactive returns to it. If a chat of --idempotent-key is active, no other one is started: the
prompt goes to that one.""",
)
