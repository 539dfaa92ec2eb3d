"""Fail when a job has used more than it may."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import flags
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.core.advice import budget, reports
from lisa_py.core.advice.budget import Amounts, Limits, Violation
from lisa_py.core.advice.given import Inputs
from lisa_py.core.context import Context
from lisa_py.core.relay import usage


class Args(Struct, kw_only=True):
    from_: Annotated[str, Flag(help="a report, one JSON object; `-` is standard input", metavar="PATH")] = ""
    from_jsonl: Annotated[str, Flag(help="a JSON-lines report; the last line that tells counts", metavar="PATH")] = ""
    max_tokens: Annotated[int, Flag(help="how many tokens may be used", minimum=1)] = 0
    max_seconds: Annotated[int, Flag(help="how many seconds may be used", minimum=1)] = 0
    max_steps: Annotated[int, Flag(help="how many steps may be taken", minimum=1)] = 0
    tokens: flags.UsedTokens = 0
    seconds: flags.UsedSeconds = 0
    steps: flags.UsedSteps = 0
    session: flags.UsedBy = ()
    project_root: flags.ProjectRoot = ""
    combine: flags.Combine = "max"


class Enforced(Struct, frozen=True, kw_only=True, rename="camel"):
    ok: bool
    observed: Amounts
    limits: Limits
    violations: tuple[Violation, ...]
    missing_metrics: tuple[str, ...] | UnsetType = UNSET
    """Limited metrics that nobody reports: their limits pass without having been checked."""
    estimated_metrics: tuple[str, ...] | UnsetType = UNSET
    unrecognized_sources: tuple[str, ...] | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> Enforced:
    limits = Limits(max_tokens=args.max_tokens, max_seconds=args.max_seconds, max_steps=args.max_steps)
    if limits == Limits():
        raise UsageError("missing_budget_limits", "at least one max limit is required (--max-tokens N for example)")
    found = reports.load(Inputs(ctx), _given(args.from_), _given(args.from_jsonl))
    found += [usage.report(ctx, ctx.place(name, args.project_root)) for name in args.session]
    own = {"tokens": args.tokens, "seconds": args.seconds, "steps": args.steps}
    seen = budget.observe(own, found, args.combine)
    missing = [metric for metric in seen.missing if limits.of(metric)]
    for metric in missing:
        ctx.warn(f"--max-{metric} is not checked: no source reports {metric}")
    broken = budget.violations(seen.amounts, limits)
    return Enforced(
        ok=not broken,
        observed=seen.amounts,
        limits=limits,
        violations=broken,
        missing_metrics=budget.unset_if_empty(missing),
        estimated_metrics=budget.unset_if_empty(seen.estimated),
        unrecognized_sources=budget.unset_if_empty(seen.unrecognized),
        error_code="budget_limit_exceeded" if broken else UNSET,
    )


def _given(path: str) -> list[str]:
    return [path] if path.strip() else []


def text(answer: Enforced, args: Args) -> str:
    rows = [f"violation={item.metric} observed={item.observed} limit={item.limit}" for item in answer.violations]
    return "\n".join(rows) or "ok"


COMMAND = Command(
    args=Args,
    answer=Enforced,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.ok else 1,
    exits={0: "within all limits (a limit may be used up exactly)", 1: "a limit is exceeded, or the call failed"},
    errors={
        **budget.ERRORS,
        "budget_limit_exceeded": "at least one limit is exceeded; violations lists which",
        "missing_budget_limits": "give at least one of --max-tokens, --max-seconds, --max-steps",
        "invalid_from": "the source of --from cannot be read or is not one JSON object",
        "invalid_from_jsonl": "the source of --from-jsonl cannot be read or holds no JSON object",
        "invalid_max_tokens": "--max-tokens is a number, at least 1",
        "invalid_max_seconds": "--max-seconds is a number, at least 1",
        "invalid_max_steps": "--max-steps is a number, at least 1",
    },
    notes="What is understood in a report: see `lisa session budget-observe --help`.",
    example="lisa session budget-observe --from run.json --json |\n"
    "  lisa session budget-enforce --from - --max-tokens 4000 --json",
)
