"""Describe a session of the project, running or ended."""

from __future__ import annotations

from lisa_py.contract.client_answers import SessionResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, ClientArgs, FullPrompt, SessionId
from lisa_py.contract.command import Command
from lisa_py.contract.session_object import shorten_prompt
from lisa_py.core.context import Context
from lisa_py.core.fleet import session_objects
from lisa_py.core.live import owned_sessions


class Args(ClientArgs, kw_only=True):
    id: SessionId
    full_prompt: FullPrompt = False


def run(args: Args, ctx: Context) -> SessionResult:
    root = owned_sessions.find_root(ctx, args.oid, args.project_root)
    ref = owned_sessions.find_session(ctx, args.id, root, family="org")
    found = session_objects.describe_session(ctx, ref)
    return SessionResult(session=found if args.full_prompt else shorten_prompt(found))


COMMAND = Command(
    group="live",
    args=Args,
    answer=SessionResult,
    run=run,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, "session_not_found"),
    exits={code: EXITS[code] for code in (0, 1, 3)},
    example="lisa ai session get --id lisa-demo-1 --filter session.status",
)
