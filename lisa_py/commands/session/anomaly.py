"""Diagnose a session; print nothing if it is healthy."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.core.advice import diagnose, next_step, recovery, target
from lisa_py.core.advice.anomaly import AnomalyFinding
from lisa_py.core.advice.recovery import RecoveryPlan
from lisa_py.core.context import Context


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    events: Annotated[int, Flag(help="number of recent events to examine", minimum=1)] = 80
    auto_remediate: Annotated[bool, Flag(help="commands that may help; none is run")] = False


class AnomalyResult(Answer):
    session: str
    status: str
    session_state: str
    agent_state: str
    events: int
    """Number of events read."""
    dropped: int
    """Number of unreadable lines in the log."""
    anomalies: tuple[AnomalyFinding, ...]
    ok: bool
    next_action: str
    waiting_for: str | UnsetType = UNSET
    auto_remediate: RecoveryPlan | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> AnomalyResult:
    ref = ctx.ref(args.session, args.project_root)
    diagnosis = diagnose.diagnose_session(ctx, ref, args.events)
    status = diagnosis.status
    return AnomalyResult(
        session=ref.session,
        status=status.status,
        session_state=status.session_state,
        agent_state=status.agent_state,
        events=diagnosis.events,
        dropped=diagnosis.dropped,
        anomalies=diagnosis.findings,
        ok=not diagnosis.findings,
        next_action=next_step.read_situation(status).action,
        waiting_for=status.waiting_for or UNSET,
        auto_remediate=recovery.plan_recovery(diagnosis.findings, target.build_target(ctx, ref))
        if args.auto_remediate
        else UNSET,
        error_code="session_not_found" if status.session_state == "not_found" else UNSET,
    )


def text(answer: AnomalyResult, args: Args) -> str:
    lines = [f"{item.code},{item.severity},{item.count},{item.message}" for item in answer.anomalies] or ["ok"]
    if isinstance(answer.auto_remediate, RecoveryPlan) and answer.anomalies:
        lines += ["auto_remediate:", *(f"- {step.command}" for step in answer.auto_remediate.steps)]
    return "\n".join(lines)


COMMAND = Command(
    group="reading",
    args=Args,
    answer=AnomalyResult,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.ok else 1,
    exits={0: "healthy", 1: "a problem was found, or the call failed"},
    errors=("status_compute_failed",),
    example="lisa session anomaly --session lisa-demo-1 --auto-remediate --json",
    notes="""\
Findings: reason_loop (the same event six times or more over at least a minute, and no change at a second reading),
degraded_retries, expectation_churn, terminal_stuck, terminal_crashed, no_events_observed, session_not_found, and errors
that the agent reports. --auto-remediate shows commands that may help; none is run.""",
)
