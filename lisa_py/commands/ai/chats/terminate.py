"""End a chat; its conversation stays readable."""

from __future__ import annotations

from lisa_py.contract.client_answers import TerminationResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, TerminateArgs
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.fleet import client_sessions


def run(args: TerminateArgs, ctx: Context) -> TerminationResult:
    return client_sessions.terminate_member(ctx, "user", args, "user_requested")


COMMAND = Command(
    group="live",
    args=TerminateArgs,
    answer=TerminationResult,
    run=run,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, "session_kill_failed", "session_not_found"),
    exits={code: EXITS[code] for code in (0, 1, 3)},
    example="lisa ai chats terminate --id lisa-demo-1",
    notes="A session that has ended already stays as it is; its pane and folder are removed, the archive is kept.",
)
