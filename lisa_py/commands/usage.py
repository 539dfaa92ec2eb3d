"""Show tokens and dollars per hour, session, lane, model, day or project."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import Hours, ProjectRoot
from lisa_py.contract.usage import UsagePoint, UsageSum
from lisa_py.core.context import Context
from lisa_py.core.usage import hourly, sums


class Args(Struct, kw_only=True):
    identity: Annotated[str, Flag(help="definition, project or credential", metavar="NAME", positional=True)] = ""
    by: Annotated[str, Flag(help="what the usage is summed up by", choices=("hour", *sums.GROUPS))] = "hour"
    hours: Hours = 0
    project_root: ProjectRoot = ""
    all_projects: Annotated[bool, Flag(help="usage of all projects")] = False


class UsageResult(Answer):
    """Usage per hour and model, oldest first, or the sums of another grouping."""

    identity: str
    """Empty: all sessions."""
    identities: tuple[str, ...]
    """Names under which usage is known."""
    by: str
    usage: tuple[UsagePoint, ...] | UnsetType = UNSET
    """Only by hour."""
    sums: tuple[UsageSum, ...] | UnsetType = UNSET
    """The most dollars first; days: oldest first."""
    total: UsageSum | UnsetType = UNSET


def run(args: Args, ctx: Context) -> UsageResult:
    project = None if args.all_projects else ctx.project(args.project_root)
    hourly.collect(ctx, project)
    names = hourly.list_identities(ctx, project)
    if args.by == "hour":
        points = hourly.read_hours(ctx, project, identity=args.identity, hours=args.hours)
        return UsageResult(identity=args.identity, identities=names, by=args.by, usage=points)
    rows = hourly.read_selection(ctx, project, identity=args.identity, hours=args.hours)
    found, total = sums.sum_by(rows, args.by)
    return UsageResult(identity=args.identity, identities=names, by=args.by, sums=found, total=total)


def text(answer: UsageResult, args: Args) -> str:
    if answer.sums:
        rows = [_format_sum(each, each.key or "(no lane)") for each in answer.sums]
        if answer.total:
            rows.append(_format_sum(answer.total, "total"))
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name.ljust(width)}  {rest}" for name, rest in rows)
    lines = [
        f"{point.hour}  {point.model}  {point.input_tokens} input  {point.cache_read_tokens} cached"
        f"  {point.output_tokens} output  {_format_cost(point.cost_usd, estimated=point.estimated)}"
        for point in answer.usage or ()
    ]
    return "\n".join(lines) or "no usage"


def _format_sum(found: UsageSum, name: str) -> tuple[str, str]:
    cost = _format_cost(found.cost_usd, estimated=found.estimated)
    more = f", {found.unpriced_tokens} tokens without a price" if found.unpriced_tokens else ""
    fresh = found.input_tokens + found.cache_write_tokens
    return name, f"{fresh} input  {found.cache_read_tokens} cached  {found.output_tokens} output  {cost}{more}"


def _format_cost(cost: float | None, *, estimated: bool) -> str:
    return "price unknown" if cost is None else f"${cost:.4f}{' (estimated)' if estimated else ''}"


COMMAND = Command(
    group="reading",
    reads=True,
    args=Args,
    answer=UsageResult,
    run=run,
    text=text,
    min=("by", "usage", "sums", "total"),
    example="lisa usage --hours 24\nlisa usage --by session\nlisa usage --identity triage --all-projects --json",
    notes="""\
Sessions that have ended are included. Each call of a model counts once, however often its transcript repeats it.
Dollars are estimated unless the agent itself reports them. Days are those of UTC.""",
)
