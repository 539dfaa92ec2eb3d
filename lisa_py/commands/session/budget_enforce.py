"""Fail if a job has exceeded its limits."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.projection import copy_fields
from lisa_py.contract.usage_flags import UsageArgs
from lisa_py.core.context import Context
from lisa_py.core.planning import budget, session_usage
from lisa_py.core.planning.budget import BudgetLimits, BudgetViolation, UsageAmounts


class Args(UsageArgs, kw_only=True):
    from_: Annotated[str, Flag(help="report, one JSON object; `-` is standard input", metavar="PATH")] = ""
    from_jsonl: Annotated[str, Flag(help="a JSON-lines report; the last line with metrics counts", metavar="PATH")] = ""
    max_tokens: Annotated[int, Flag(help="maximum tokens", minimum=1)] = 0
    max_seconds: Annotated[int, Flag(help="maximum seconds", minimum=1)] = 0
    max_steps: Annotated[int, Flag(help="maximum steps", minimum=1)] = 0


class BudgetEnforceResult(Answer):
    ok: bool
    observed: UsageAmounts
    limits: BudgetLimits
    violations: tuple[BudgetViolation, ...]
    missing_metrics: tuple[str, ...] | UnsetType = UNSET
    """Limited metrics that no source reports: their limits are not checked."""
    estimated_metrics: tuple[str, ...] | UnsetType = UNSET
    unrecognized_sources: tuple[str, ...] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> BudgetEnforceResult:
    limits = copy_fields(args, BudgetLimits)
    if limits == BudgetLimits():
        raise UsageError("missing_budget_limits", "at least one max limit is required (--max-tokens N for example)")
    observation, _ = session_usage.observe_usage(ctx, args, _wrap_path(args.from_), _wrap_path(args.from_jsonl))
    missing = [metric for metric in observation.missing if limits.limit_for(metric)]
    for metric in missing:
        ctx.warn(f"--max-{metric} is not checked: no source reports {metric}")
    violations = budget.find_violations(observation.amounts, limits)
    return BudgetEnforceResult(
        ok=not violations,
        observed=observation.amounts,
        limits=limits,
        violations=violations,
        missing_metrics=budget.unset_if_empty(missing),
        estimated_metrics=budget.unset_if_empty(observation.estimated),
        unrecognized_sources=budget.unset_if_empty(observation.unrecognized),
        error_code="budget_limit_exceeded" if violations else UNSET,
    )


def _wrap_path(path: str) -> list[str]:
    return [path] if path.strip() else []


def text(answer: BudgetEnforceResult, args: Args) -> str:
    rows = [f"violation={item.metric} observed={item.observed} limit={item.limit}" for item in answer.violations]
    return "\n".join(rows) or "ok"


COMMAND = Command(
    group="planning",
    args=Args,
    answer=BudgetEnforceResult,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.ok else 1,
    exits={0: "within all limits; a limit may be reached exactly", 1: "a limit is exceeded, or the call failed"},
    errors=(
        "budget_limit_exceeded",
        "missing_budget_limits",
        "invalid_from",
        "invalid_from_jsonl",
    ),
    notes="For the report formats see `lisa session budget-observe --help`.",
    example="lisa session budget-observe --from run.json --json |\n"
    "  lisa session budget-enforce --from - --max-tokens 4000 --json",
)
