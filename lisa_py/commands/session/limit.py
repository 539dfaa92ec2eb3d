"""Show or set what happens at a usage limit."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.limits import continuation
from lisa_py.core.limits.continuation import LimitPlanResult


class Args(Struct, kw_only=True):
    session: Session
    on_limit: Annotated[
        str, Flag(help="new choice; off also takes back a waiting turn", choices=("wait", "stop", "off"), acts=True)
    ] = ""
    project_root: ProjectRoot = ""


def run(args: Args, ctx: Context) -> LimitPlanResult:
    ref = ctx.ref(args.session, args.project_root)
    if args.on_limit:
        return continuation.set_plan(ctx, ref, args.on_limit)
    return continuation.describe_plan(ctx, ref)


def text(answer: LimitPlanResult, args: Args) -> str:
    lines = [f"on limit: {answer.on_limit or 'off'}"]
    if answer.limit:
        lines.append(f"limit: {answer.window or 'reached'}, until {answer.resets_at or 'an unknown time'}")
    if answer.continues_at:
        lines.append(f"continues at: {answer.continues_at}")
    return "\n".join(lines)


COMMAND = Command(
    group="planning",
    args=Args,
    answer=LimitPlanResult,
    run=run,
    text=text,
    min=("session", "on_limit", "limit", "resets_at", "continues_at"),
    errors=continuation.ERRORS,
    example="lisa session limit --session lisa-demo-1\nlisa session limit --session lisa-demo-1 --on-limit off",
    notes="""\
With wait, the interrupted turn continues once when the limit ends, at the time that the agent itself names; without
such a time nothing is sent. The text is in the outbox until then (id limit-...). stop ends the session at a limit.
--on-limit off ends the waiting, also that of session monitor, loop and autopilot.""",
)
