"""Describe a session of the project, running or ended."""

from __future__ import annotations

from lisa_py.contract.client_answers import SessionResult
from lisa_py.contract.client_commands import GET
from lisa_py.contract.client_flags import GetArgs
from lisa_py.core.context import Context
from lisa_py.core.fleet import client_sessions


def run(args: GetArgs, ctx: Context) -> SessionResult:
    return client_sessions.describe_member(ctx, "org", args)


COMMAND = GET(
    run=run,
    example="lisa ai session get --id lisa-demo-1 --filter session.status",
)
