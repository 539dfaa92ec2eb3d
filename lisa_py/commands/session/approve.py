"""Approve what the agent of a session asks permission for."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.dialogs import DecisionResult, DialogDecision, Scope
from lisa_py.contract.flags import DialogId, ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.send import answer


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    id: DialogId = ""
    scope: Annotated[str, Flag(help="this call, or all like it", choices=("once", "session"))] = "once"
    pattern: Annotated[str, Flag(help="with --scope session: calls to allow", metavar="PATTERN")] = ""


def run(args: Args, ctx: Context) -> DecisionResult:
    ref = ctx.ref(args.session, args.project_root)
    scope: Scope = "session" if args.scope == "session" else "once"
    return answer.answer_dialog(ctx, ref, args.id, DialogDecision(kind="approve", scope=scope, pattern=args.pattern))


COMMAND = Command(
    group="live",
    args=Args,
    answer=DecisionResult,
    run=run,
    text=lambda result, args: answer.describe_result(result),
    min=("session", "ok", "id", "decision", "delivered", "error_code", "error"),
    exit_code=lambda result: 0 if result.ok else 1,
    errors=(*answer.ERRORS, "answer_required"),
    exits={0: "the agent has left the dialog", 1: "refused or not taken; see errorCode"},
    example="lisa session approve --session lisa-demo-1\nlisa session approve --session lisa-demo-1 --scope session",
    notes="""\
The first decision about a dialog counts, from whichever surface; a later one answers dialog_already_answered with the
decider. --scope session also allows calls like this one until the session ends: claude gets a rule for the command
(`Bash(git status:*)`, or --pattern), on the screen the choice that does not ask again is taken.""",
)
