"""End a session of the project; its conversation stays readable."""

from __future__ import annotations

from lisa_py.contract.client_answers import TerminatedResult
from lisa_py.contract.client_flags import EXITS, OUTPUT_ERRORS, ClientArgs, SessionId
from lisa_py.contract.command import Command
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import kill
from lisa_py.core.live import owned_sessions


class Args(ClientArgs, kw_only=True):
    id: SessionId


def run(args: Args, ctx: Context) -> TerminatedResult:
    root = owned_sessions.find_root(ctx, args.oid, args.project_root)
    ref = owned_sessions.find_session(ctx, args.id, root, family="org")
    kill.terminate_session(ctx, ref, "org_api_requested")
    return TerminatedResult(terminated=True)


COMMAND = Command(
    group="live",
    args=Args,
    answer=TerminatedResult,
    run=run,
    document=lambda answer, args: answer,
    errors=(*OUTPUT_ERRORS, "session_kill_failed", "session_not_found"),
    exits={code: EXITS[code] for code in (0, 1, 3)},
    example="lisa ai session terminate --id lisa-demo-1",
    notes="A session that has ended already stays as it is; its pane and folder are removed, the archive is kept.",
)
