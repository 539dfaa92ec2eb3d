"""Recommend one next command for a session, within a token budget."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.core.advice import target
from lisa_py.core.advice.next_step import Advice, advise
from lisa_py.core.context import Context
from lisa_py.core.status import status_reader


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    budget: Annotated[int, Flag(help="token budget for the next command", minimum=1)] = 480


class NextResult(Advice):
    """The suggestion; for a missing session the command that starts it again."""

    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> NextResult:
    ref = ctx.ref(args.session, args.project_root)
    status = status_reader.normalise_status(status_reader.read_status(ctx, ref))
    return NextResult(
        **structs.asdict(advise(target.build_target(ctx, ref), status, args.budget)), error_code=status.error_code
    )


def text(answer: NextResult, args: Args) -> str:
    return answer.recommended_command


COMMAND = Command(
    group="reading",
    args=Args,
    answer=NextResult,
    run=run,
    text=text,
    min=("session", "session_state", "next_action", "recommended_command", "error_code"),
    exit_code=lambda answer: 1 if answer.session_state == "not_found" else 0,
    exits={
        0: "done",
        1: "refused, or the session does not exist (with the command to start it)",
    },
    example="lisa session next --session lisa-demo-1 --budget 400",
)
