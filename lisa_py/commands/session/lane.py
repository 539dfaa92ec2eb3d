"""Manage named bundles of spawn and route defaults."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import INTENT_ALIASES, INTENTS, MODE_ALIASES, MODES, POLICIES, ProjectRoot
from lisa_py.core.context import Context
from lisa_py.core.planning.goals import ALIASES, GOALS
from lisa_py.core.planning.topology import ROLES
from lisa_py.host.clock import format_rfc3339
from lisa_py.store.lanes import Lane, Lanes, registry

LANE_FIELDS = (
    "goal",
    "agent",
    "mode",
    "nested_policy",
    "nesting_intent",
    "prompt",
    "model",
    "budget",
    "topology",
    "contract",
)
EXPECTED_VALUES: dict[str, tuple[str, ...]] = {
    "goal": (*GOALS, *ALIASES),
    "mode": (*MODES, *MODE_ALIASES),
    "nested_policy": POLICIES,
    "nesting_intent": (*INTENTS, *INTENT_ALIASES),
}


class Args(Struct, kw_only=True):
    project_root: ProjectRoot = ""
    name: Annotated[str, Flag(help="lane name", metavar="NAME")] = ""
    goal: Annotated[str, Flag(help="goal: nested, analysis or exec", metavar="GOAL")] = ""
    agent: Annotated[str, Flag(help="agent CLI", metavar="AGENT")] = ""
    mode: Annotated[str, Flag(help="mode: interactive or exec", metavar="MODE")] = ""
    nested_policy: Annotated[str, Flag(help="nested policy: auto, force or off", metavar="POLICY")] = ""
    nesting_intent: Annotated[str, Flag(help="nesting intent: auto, nested or neutral", metavar="INTENT")] = ""
    prompt: Annotated[str, Flag(help="first prompt", metavar="TEXT")] = ""
    model: Annotated[str, Flag(help="model name", metavar="NAME")] = ""
    budget: Annotated[int, Flag(help="token budget", minimum=1)] = 0
    topology: Annotated[str, Flag(help="team roles: planner, workers, reviewer", metavar="CSV")] = ""
    contract: Annotated[str, Flag(help="contract of the lane, such as handoff_v2_required", metavar="CSV")] = ""
    unset: Annotated[str, Flag(help="fields to clear", metavar="CSV")] = ""
    clear: Annotated[bool, Flag(help="removal of the lane")] = False
    list: Annotated[bool, Flag(help="list of all lanes")] = False


class LaneResult(Answer):
    action: str
    project_root: str
    count: int
    lanes: tuple[Lane, ...]
    name: str | UnsetType = UNSET
    lane: Lane | UnsetType = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET
    recovered: bool | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> LaneResult:
    name = args.name.strip().lower()
    given = [field for field in LANE_FIELDS if field in ctx.given_fields and str(getattr(args, field)).strip()]
    if args.clear:
        return _clear(args, ctx, name)
    if given or args.unset.strip():
        return _upsert(args, ctx, name, given)
    content = registry(ctx.project(args.project_root)).read()
    missing = bool(name) and name not in content.lanes and not args.list
    return _build_result(args, ctx, "read", name, content, error_code="lane_not_found" if missing else UNSET)


def _clear(args: Args, ctx: Context, name: str) -> LaneResult:
    if not name:
        raise UsageError("missing_required_flag", "--clear requires --name")
    with registry(ctx.project(args.project_root)).change(ctx.settings, ctx.clock.now()) as opened:
        opened.content.lanes.pop(name, None)
        opened.content.updated_at = format_rfc3339(ctx.clock.now())
    return _build_result(args, ctx, "cleared", name, opened.content, recovered=bool(opened.recovered) or UNSET)


def _upsert(args: Args, ctx: Context, name: str, given: list[str]) -> LaneResult:
    if not name:
        raise UsageError("missing_required_flag", "lane upsert requires --name")
    cleared_fields = [word.strip().replace("-", "_") for word in args.unset.split(",") if word.strip()]
    for word in cleared_fields:
        if word not in LANE_FIELDS:
            raise UsageError("invalid_unset", f"invalid --unset: {word} (expected {'|'.join(LANE_FIELDS)})")
    now = format_rfc3339(ctx.clock.now())
    with registry(ctx.project(args.project_root)).change(ctx.settings, ctx.clock.now()) as opened:
        lane = opened.content.lanes.setdefault(name, Lane(name=name))
        for field in cleared_fields:
            setattr(lane, field, 0 if field == "budget" else "")
        for field in given:
            value = getattr(args, field)
            setattr(lane, field, value.strip() if isinstance(value, str) else value)
        lane.updated_at = opened.content.updated_at = now
    return _build_result(
        args,
        ctx,
        "upserted",
        name,
        opened.content,
        recovered=bool(opened.recovered) or UNSET,
        warnings=_find_unexpected_values(lane),
    )


def _find_unexpected_values(lane: Lane) -> tuple[str, ...] | UnsetType:
    """Return warnings about values that spawn or route would refuse.

    The values are stored all the same, so that a lane can be filled in any order.
    """
    values = {field: getattr(lane, field) for field in EXPECTED_VALUES} | {"agent": lane.agent}
    expected = EXPECTED_VALUES | {"agent": agents.names()}
    warnings = [
        f"{field}: {value} (expected {'|'.join(expected[field])})"
        for field, value in values.items()
        if value and value.lower() not in expected[field]
    ]
    roles = [role.strip().lower() for role in lane.topology.split(",")]
    warnings += [f"topology: {role} (expected {','.join(ROLES)})" for role in roles if role and role not in ROLES]
    return tuple(warnings) or UNSET


def _build_result(
    args: Args,
    ctx: Context,
    action: str,
    name: str,
    content: Lanes,
    *,
    error_code: str | UnsetType = UNSET,
    recovered: bool | UnsetType = UNSET,
    warnings: tuple[str, ...] | UnsetType = UNSET,
) -> LaneResult:
    lanes = tuple(content.lanes[key] for key in sorted(content.lanes))
    return LaneResult(
        action=action, project_root=ctx.project(args.project_root).root, count=len(lanes), lanes=lanes,
        name=name or UNSET, lane=content.lanes.get(name, UNSET), warnings=warnings, recovered=recovered,
        error_code=error_code,
    )  # fmt: skip


def text(answer: LaneResult, args: Args) -> str:
    if answer.error_code is not UNSET:
        return f"no lane named {answer.name} (lisa session lane --list shows the lanes)"
    if answer.action == "cleared":
        return f"lane cleared: {answer.name}"
    if isinstance(answer.lane, Lane) and not args.list:
        lane = answer.lane
        return f"lane={lane.name} goal={lane.goal} agent={lane.agent} mode={lane.mode}"
    return "\n".join(f"{lane.name},{lane.goal},{lane.agent},{lane.mode}" for lane in answer.lanes) or "no lanes"


COMMAND = Command(
    group="planning",
    args=Args,
    answer=LaneResult,
    run=run,
    text=text,
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 1,
    errors=(
        "invalid_unset",
        "lane_not_found",
        "lane_store_read_failed",
        "lane_store_write_failed",
    ),
    example="lisa session lane --name planner --goal analysis --agent codex --contract handoff_v2_required",
    notes="""\
spawn, route and autopilot use the values of --lane for flags that are not given. Values are stored as given; `warnings`
lists those that spawn and route would refuse. --unset clears a field. With the contract handoff_v2_required a handoff
of the lane's sessions needs --schema v2 or later. An unknown name is exit code 1, in text too.""",
)
