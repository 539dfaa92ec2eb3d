"""End a chat; its conversation stays readable."""

from __future__ import annotations

from lisa_py.contract.client_answers import TerminationResult
from lisa_py.contract.client_commands import TERMINATE
from lisa_py.contract.client_flags import TerminateArgs
from lisa_py.core.context import Context
from lisa_py.core.fleet import client_sessions


def run(args: TerminateArgs, ctx: Context) -> TerminationResult:
    return client_sessions.terminate_member(ctx, "user", args, "user_requested")


COMMAND = TERMINATE(
    run=run,
    example="lisa ai chats terminate --id lisa-demo-1",
)
