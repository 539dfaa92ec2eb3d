"""Answer the question that the agent of a session asks."""

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
    choice: Annotated[
        tuple[str, ...], Flag(help="answer of the next question", metavar="N|LABEL|TEXT", repeatable=True)
    ]
    project_root: ProjectRoot = ""
    id: DialogId = ""


def run(args: Args, ctx: Context) -> DecisionResult:
    ref = ctx.ref(args.session, args.project_root)
    return answer.answer_dialog(ctx, ref, args.id, DialogDecision(kind="answer", choices=args.choice))


COMMAND = Command(
    group="live",
    args=Args,
    answer=DecisionResult,
    run=run,
    text=lambda result, args: answer.describe_result(result),
    min=("session", "ok", "id", "decision", "answers", "delivered", "error_code", "error"),
    exit_code=lambda result: 0 if result.ok else 1,
    errors=(*answer.ERRORS, "answer_missing"),
    exits={0: "the agent has left the dialog", 1: "refused or not taken; see errorCode"},
    example="lisa session answer --session lisa-demo-1 --choice 2\n"
    "lisa session answer --session lisa-demo-1 --choice blue --choice 1,3",
    notes="""\
One --choice per question, in their order: the number or the label of an offered answer, or any other text. A question
with several choices takes a comma-separated list. In a dialog that is no question the number or the text of a choice
on the screen selects it.""",
)
