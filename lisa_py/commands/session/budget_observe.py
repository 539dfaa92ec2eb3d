"""Report the usage of a job from the reports of its steps."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.usage_flags import UsageArgs
from lisa_py.core.context import Context
from lisa_py.core.planning import budget, session_usage, usage_reports
from lisa_py.core.planning.budget import UsageAmounts


class Args(UsageArgs, kw_only=True):
    from_: Annotated[
        tuple[str, ...],
        Flag(help="reports, one JSON object each; `-` is standard input", metavar="CSV", repeatable=True),
    ] = ()
    from_jsonl: Annotated[
        tuple[str, ...],
        Flag(help="JSON-lines reports; the last line with metrics counts", metavar="CSV", repeatable=True),
    ] = ()


class BudgetObserveResult(Answer):
    ok: bool
    observed: UsageAmounts
    sources: tuple[str, ...]
    combine: str
    missing_metrics: tuple[str, ...] | UnsetType = UNSET
    """Metrics that no source reports; they count as 0."""
    estimated_metrics: tuple[str, ...] | UnsetType = UNSET
    """Metrics based on an estimate."""
    unrecognized_sources: tuple[str, ...] | UnsetType = UNSET
    """Sources without a metric."""


def run(args: Args, ctx: Context) -> BudgetObserveResult:
    observation, loaded_reports = session_usage.observe_usage(
        ctx, args, usage_reports.split_sources(args.from_), usage_reports.split_sources(args.from_jsonl)
    )
    for source in observation.unrecognized:
        ctx.warn(f"{source} reports neither tokens nor seconds nor steps")
    return BudgetObserveResult(
        ok=True,
        observed=observation.amounts,
        sources=tuple(report.source for report in loaded_reports),
        combine=args.combine,
        missing_metrics=budget.unset_if_empty(observation.missing),
        estimated_metrics=budget.unset_if_empty(observation.estimated),
        unrecognized_sources=budget.unset_if_empty(observation.unrecognized),
    )


def text(answer: BudgetObserveResult, args: Args) -> str:
    used = answer.observed
    return f"tokens={used.tokens} seconds={used.seconds} steps={used.steps}"


COMMAND = Command(
    group="planning",
    args=Args,
    answer=BudgetObserveResult,
    run=run,
    text=text,
    errors=(
        "invalid_from",
        "invalid_from_jsonl",
    ),
    notes=(
        "Read are tokens, seconds and steps (also totalTokens etc.) at the top level, in observed, usage, metrics and\n"
        "costEstimate; usage and token records of agent CLIs; with --from-jsonl also their whole transcripts.\n"
        "For a --session, seconds are its lifetime and steps are its completed turns; a killed one is read from its"
        " archive."
    ),
    example="lisa session budget-observe --session lisa-demo-1 --json\n"
    "lisa session loop --session lisa-demo-1 --json | lisa session budget-observe --from - --json",
)
