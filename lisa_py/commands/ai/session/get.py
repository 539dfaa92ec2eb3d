"""Describe a session of the project, running or ended."""

from __future__ import annotations

from lisa_py.contract.client_answers import SessionResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, GetArgs
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.fleet import client_sessions


def run(args: GetArgs, ctx: Context) -> SessionResult:
    return client_sessions.describe_member(ctx, "org", args)


COMMAND = Command(
    group="live",
    reads=True,
    args=GetArgs,
    answer=SessionResult,
    run=run,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, "session_not_found"),
    exits={code: EXITS[code] for code in (0, 1, 3)},
    example="lisa ai session get --id lisa-demo-1 --filter session.status",
)
