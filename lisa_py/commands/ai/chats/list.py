"""List the chats of this user, running and ended, newest first."""

from __future__ import annotations

from lisa_py.contract.client_answers import SessionsResult
from lisa_py.contract.client_commands import LIST
from lisa_py.contract.client_flags import ListArgs
from lisa_py.core.context import Context
from lisa_py.core.fleet import client_sessions


def run(args: ListArgs, ctx: Context) -> SessionsResult:
    return client_sessions.list_family(ctx, "user", args)


COMMAND = LIST(
    run=run,
    example="lisa ai chats list --status running --output table\nlisa ai chats list --limit 50 --cursor ''",
)
