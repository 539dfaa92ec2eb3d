"""Recommend agent, mode, policy and model for a goal, with the command to start it."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct

from lisa_py import agents
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import AgentName, Model, ProjectRoot
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.planning import route
from lisa_py.core.planning.dispatch_queue import AMBIGUOUS
from lisa_py.core.planning.goals import GoalName, Profile
from lisa_py.core.planning.resolve import LANE_ERRORS, AssignmentFlags
from lisa_py.core.planning.route import RouteRequest, RouteResult


class Args(Struct, kw_only=True):
    goal: GoalName = "analysis"
    agent: AgentName = agents.DEFAULT_NESTED
    lane: Annotated[str, Flag(help="lane that supplies missing values", metavar="NAME")] = ""
    project_root: ProjectRoot = ""
    prompt: Annotated[str, Flag(help="prompt in place of the goal's default", metavar="TEXT")] = ""
    model: Model = ""
    profile: Profile = ""
    budget: Annotated[int, Flag(help="token budget for the runbook and queue commands", minimum=1)] = 0
    emit_runbook: Annotated[bool, Flag(help="runbook: the whole job as commands")] = False
    queue: Annotated[bool, Flag(help="queue of sessions in order of urgency")] = False
    sessions: Annotated[str, Flag(help="with --queue: session names; default: all of the project", metavar="CSV")] = ""
    queue_limit: Annotated[int, Flag(help="with --queue: maximum number of sessions", minimum=1)] = 0
    concurrency: Annotated[int, Flag(help="number of sessions served at once", minimum=1)] = 1
    topology: Annotated[str, Flag(help="team roles: planner, workers, reviewer", metavar="CSV")] = ""
    cost_estimate: Annotated[bool, Flag(help="estimate of tokens and seconds per step")] = False
    from_state: Annotated[
        str, Flag(help="handoff or status to continue from; `-` is standard input", metavar="PATH")
    ] = ""
    strict: Annotated[bool, Flag(help="with --from-state: strict schema check")] = False


def run(args: Args, ctx: Context) -> RouteResult:
    request = copy_fields(
        args,
        RouteRequest,
        flags=copy_fields(args, AssignmentFlags, given=ctx.given_fields),
        sessions=tuple(dict.fromkeys(name.strip() for name in args.sessions.split(",") if name.strip())),
    )
    result = route.plan_route(ctx, request)
    for item in result.queue or ():
        if item.session_state == AMBIGUOUS:
            ctx.warn(f"warning: session={item.session} {item.reason}")
    return result


def text(answer: RouteResult, args: Args) -> str:
    lines = [answer.command, " | ".join(answer.rationale)]
    if answer.topology is not UNSET:
        lines += ["topology: " + " ".join(f"{edge.start}->{edge.end}" for edge in answer.topology.edges)]
    if answer.cost_estimate is not UNSET:
        lines += [f"estimate: tokens={answer.cost_estimate.total_tokens} seconds={answer.cost_estimate.total_seconds}"]
    if answer.queue is not UNSET:
        lines += [f"queue: {answer.queue_count}"]
        lines += [
            f"{item.position} wave={item.dispatch_wave} {item.session} {item.session_state} {item.command}"
            for item in answer.queue
        ]
    if answer.runbook is not UNSET:
        lines += ["runbook:", *(step.command for step in answer.runbook.steps)]
    return "\n".join(lines)


COMMAND = Command(
    group="planning",
    args=Args,
    answer=RouteResult,
    run=run,
    text=text,
    min=(
        "goal",
        "agent",
        "mode",
        "nested_policy",
        "nesting_intent",
        "model",
        "command",
        "monitor_hint",
        "queue",
        "topology",
        "cost_estimate",
        "runbook",
    ),
    errors=(
        *LANE_ERRORS,
        "invalid_agent",
        "invalid_profile",
        "invalid_model",
        "invalid_model_configuration",
        "invalid_nested_policy_combination",
        "invalid_topology",
        "invalid_from_state",
        "invalid_from_state_strict",
        "queue_build_failed",
    ),
    notes="""\
Nothing is started. Flags take precedence over the lane; a profile sets agent and model and takes precedence over
--agent. A model is included only if the agent accepts one. costEstimate comes from a table and is not measured;
promptTokens is the part of the prompt.""",
    example="""\
lisa session route --goal nested --json
lisa session route --goal exec --agent claude --topology workers,reviewer --cost-estimate --emit-runbook --json
lisa session handoff --session lisa-demo-1 --schema v4 --json | lisa session route --from-state - --strict --json""",
)
