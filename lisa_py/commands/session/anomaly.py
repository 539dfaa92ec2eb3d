"""Tell what is wrong with a session; silent about one that works."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.core.advice import examine, next_action, remedy
from lisa_py.core.advice.anomaly import Finding
from lisa_py.core.advice.remedy import Plan
from lisa_py.core.context import Context


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    events: Annotated[int, Flag(help="how many recent events to judge by", minimum=1)] = 80
    auto_remediate: Annotated[bool, Flag(help="also show the commands that would help; none is run")] = False


class Examined(Struct, frozen=True, kw_only=True, rename="camel"):
    session: str
    status: str
    session_state: str
    agent_state: str
    events: int
    """How many were read."""
    dropped: int
    """Lines of the log that could not be read."""
    anomalies: tuple[Finding, ...]
    ok: bool
    next_action: str
    waiting_for: str | UnsetType = UNSET
    auto_remediate: Plan | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> Examined:
    place = ctx.place(args.session, args.project_root)
    seen = examine.examine(ctx, place, args.events)
    status = seen.status
    return Examined(
        session=place.session,
        status=status.status,
        session_state=status.session_state,
        agent_state=status.agent_state,
        events=seen.events,
        dropped=seen.dropped,
        anomalies=seen.findings,
        ok=not seen.findings,
        next_action=next_action.name(status.session_state),
        waiting_for=status.waiting_for or UNSET,
        auto_remediate=remedy.plan(seen.findings, examine.patient(ctx, place)) if args.auto_remediate else UNSET,
        error_code="session_not_found" if status.session_state == "not_found" else UNSET,
    )


def text(answer: Examined, args: Args) -> str:
    lines = [f"{item.code},{item.severity},{item.count},{item.message}" for item in answer.anomalies] or ["ok"]
    if isinstance(answer.auto_remediate, Plan) and answer.anomalies:
        lines += ["auto_remediate:", *(f"- {step.command}" for step in answer.auto_remediate.steps)]
    return "\n".join(lines)


COMMAND = Command(
    args=Args,
    answer=Examined,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.ok else 1,
    exits={0: "nothing is wrong", 1: "something is wrong, or the call failed"},
    errors={
        "invalid_events": "--events is a number, at least 1",
        "status_compute_failed": "tmux cannot be asked, so nothing is known of the session",
    },
    example="lisa session anomaly --session lisa-demo-1 --auto-remediate --json",
    notes="""\
Looked for are reason_loop (the same event six times or more, over at least a minute, and a second look finds that
nothing moves), degraded_retries, expectation_churn, terminal_stuck, terminal_crashed, no_events_observed,
session_not_found and what the agent itself reports. --auto-remediate shows commands that may help; none is run.""",
)
