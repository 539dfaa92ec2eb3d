"""Recommend the one next command about a session, within a token budget."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.core.advice import examine, next_step
from lisa_py.core.context import Context
from lisa_py.core.watch import look


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    budget: Annotated[int, Flag(help="how many tokens the answer of the next command may cost", minimum=1)] = 480


class Next(Struct, frozen=True, kw_only=True, rename="camel"):
    session: str
    status: str
    session_state: str
    waiting_for: str
    next_action: str
    recommended_command: str
    reason: str
    budget: int
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> Next:
    place = ctx.place(args.session, args.project_root)
    seen = look.shown(look.status(ctx, place))
    step = next_step.of(seen.session_state, seen.waiting_for, args.budget, examine.patient(ctx, place))
    return Next(
        session=place.session,
        status=seen.status,
        session_state=seen.session_state,
        waiting_for=seen.waiting_for,
        next_action=step.action,
        recommended_command=step.command,
        reason=step.reason,
        budget=args.budget,
        error_code=seen.error_code,
    )


def text(answer: Next, args: Args) -> str:
    return answer.recommended_command


COMMAND = Command(
    args=Args,
    answer=Next,
    run=run,
    text=text,
    min=("session", "session_state", "next_action", "recommended_command", "error_code"),
    exit_code=lambda answer: 1 if answer.session_state == "not_found" else 0,
    errors={"invalid_budget": "--budget is a number of tokens, at least 1"},
    exits={
        0: "done",
        1: "refused, or the session does not exist (the command to start it again is given all the same)",
    },
    example="lisa session next --session lisa-demo-1 --budget 400",
)
