"""List the sessions of the project, running and ended, newest first."""

from __future__ import annotations

from lisa_py.contract.client_answers import SessionsResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, ListArgs
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.fleet import client_sessions


def run(args: ListArgs, ctx: Context) -> SessionsResult:
    return client_sessions.list_family(ctx, "org", args)


COMMAND = Command(
    group="live",
    reads=True,
    args=ListArgs,
    answer=SessionsResult,
    run=run,
    document=lambda answer, args: answer.document,
    errors=(*OUTPUT_ERRORS, "invalid_cursor", "invalid_session_status"),
    exits={code: EXITS[code] for code in (0, 1, 4)},
    example="lisa ai session list --status running --output table\nlisa ai session list --limit 50 --cursor ''",
    notes="""\
All pages are read and printed as one list. With --cursor (empty for the first page) it prints one page with its
next_cursor. The first prompt is cut; get --full-prompt prints it.""",
)
