"""Deny what the agent of a session asks permission for."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.dialogs import DecisionResult, DialogDecision
from lisa_py.contract.flags import DialogId, ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.send import answer


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    id: DialogId = ""
    message: Annotated[str, Flag(help="reason, for the agent", metavar="TEXT")] = ""


def run(args: Args, ctx: Context) -> DecisionResult:
    ref = ctx.ref(args.session, args.project_root)
    return answer.answer_dialog(ctx, ref, args.id, DialogDecision(kind="deny", message=args.message))


COMMAND = Command(
    group="live",
    args=Args,
    answer=DecisionResult,
    run=run,
    text=lambda result, args: answer.describe_result(result),
    min=("session", "ok", "id", "decision", "delivered", "error_code", "error"),
    exit_code=lambda result: 0 if result.ok else 1,
    errors=answer.ERRORS,
    exits={0: "the agent has left the dialog", 1: "refused or not taken; see errorCode"},
    example='lisa session deny --session lisa-demo-1 --message "use the test database"',
    notes="""\
Where claude waits for the decision, the message becomes the result of the call and the turn continues. A dialog on the
screen takes no message: its choice for no ends the turn, and the message is sent as the next prompt.""",
)
