"""Start an agent and talk to it: typed lines are prompts."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import AgentName, AllFrames, IdempotentKey, ProjectRoot, RawFrames, Trust
from lisa_py.contract.live import LiveFrame
from lisa_py.contract.projection import copy_fields
from lisa_py.contract.start_session import AgentSettingsArgs
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import attached_chat, launch, settings_flags
from lisa_py.core.lifecycle.chat import ChatRequest
from lisa_py.core.live.attach_session import AttachResult


class Args(AgentSettingsArgs, kw_only=True):
    prompt: Annotated[str, Flag(help="first prompt", metavar="TEXT", positional=True)] = ""
    agent: AgentName = ""
    definition: Annotated[str, Flag(help="definition that supplies settings and prompt", metavar="NAME")] = ""
    name: Annotated[str, Flag(help="title of the session", metavar="TEXT")] = ""
    session: Annotated[str, Flag(help="session name; default: a generated one", metavar="NAME")] = ""
    idempotent_key: IdempotentKey = ""
    project_root: ProjectRoot = ""
    trust: Trust = False
    raw: RawFrames = False
    verbose: AllFrames = False


def run(args: Args, ctx: Context) -> AttachResult:
    settings = settings_flags.read_settings_flags(ctx, args)
    request = copy_fields(args, ChatRequest, settings=msgspec.structs.replace(settings, name=args.name or UNSET))
    is_raw = args.raw or ctx.output_format != "text"
    return attached_chat.start_chat(ctx, request, raw=is_raw, verbose=args.verbose, by_name=True).result


COMMAND = Command(
    group="daily",
    args=Args,
    answer=AttachResult,
    run=run,
    text=lambda answer, args: "",
    newline=False,
    live=True,
    events=LiveFrame,
    errors=(
        *launch.ERRORS,
        *settings_flags.ERRORS,
        "agent_not_installed",
        "auth_store_read_failed",
        "definition_not_found",
        "invalid_definition",
        "not_logged_in",
        "session_already_exists",
        "spawn_early_exit",
        "spawn_tmux_new_failed",
    ),
    exits={0: "left, or the session has ended", 1: "nothing was started; see the message or errorCode"},
    example='lisa chat "Explain this project" --agent claude\nlisa chat --agent codex --model gpt-5.5',
    notes="""\
It starts a session and attaches to it as lisa session attach --interactive does: typed lines are prompts, /interrupt
ends the agent's turn, and the line after a dialog answers it. /quit, the end of the input and Ctrl-C leave; the session
keeps running, and lisa session attach --interactive returns to it. The default profile (lisa profiles), the definition
and the flags decide what needs a permission; the later one counts. If a chat of --idempotent-key is active, no other
one is started: the prompt goes to that one.""",
)
