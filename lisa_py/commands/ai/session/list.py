"""List the sessions of the project, running and ended, newest first."""

from __future__ import annotations

from lisa_py.contract.client_answers import SessionsResult
from lisa_py.contract.client_commands import LIST
from lisa_py.contract.client_flags import ListArgs
from lisa_py.core.context import Context
from lisa_py.core.fleet import client_sessions


def run(args: ListArgs, ctx: Context) -> SessionsResult:
    return client_sessions.list_family(ctx, "org", args)


COMMAND = LIST(
    run=run,
    example="lisa ai session list --status running --output table\nlisa ai session list --limit 50 --cursor ''",
)
