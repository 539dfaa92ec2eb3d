"""Show tokens and dollars per hour, of a definition, a project or a credential."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import MAX_HOURS, ProjectRoot
from lisa_py.contract.usage import UsagePoint
from lisa_py.core.context import Context
from lisa_py.core.usage import hourly


class Args(Struct, kw_only=True):
    identity: Annotated[str, Flag(help="definition, project or credential", metavar="NAME", positional=True)] = ""
    hours: Annotated[int, Flag(help="number of hours back from now; 0: all", minimum=0, maximum=MAX_HOURS)] = 0
    project_root: ProjectRoot = ""
    all_projects: Annotated[bool, Flag(help="usage of all projects")] = False


class UsageResult(Answer):
    """Usage per hour and model, oldest first."""

    identity: str
    """Empty: all sessions."""
    identities: tuple[str, ...]
    """Names under which usage is known."""
    usage: tuple[UsagePoint, ...]


def run(args: Args, ctx: Context) -> UsageResult:
    project = None if args.all_projects else ctx.project(args.project_root)
    hourly.collect(ctx, project)
    return UsageResult(
        identity=args.identity,
        identities=hourly.list_identities(ctx, project),
        usage=hourly.read_hours(ctx, project, identity=args.identity, hours=args.hours),
    )


def text(answer: UsageResult, args: Args) -> str:
    lines = [
        f"{point.hour}  {point.model}  {point.input_tokens} input  {point.cache_read_tokens} cached"
        f"  {point.output_tokens} output  {_format_cost(point)}"
        for point in answer.usage
    ]
    return "\n".join(lines) or "no usage"


def _format_cost(point: UsagePoint) -> str:
    if point.cost_usd is None:
        return "price unknown"
    return f"${point.cost_usd:.4f}{' (estimated)' if point.estimated else ''}"


COMMAND = Command(
    group="reading",
    reads=True,
    args=Args,
    answer=UsageResult,
    run=run,
    text=text,
    example="lisa usage --hours 24\nlisa usage --identity triage --all-projects --json",
    notes="Sessions that have ended are included; dollars are estimated unless the agent itself reports them.",
)
