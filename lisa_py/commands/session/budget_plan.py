"""Plan a job within a budget: estimate, limits and commands."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import AgentName, ProjectRoot
from lisa_py.contract.from_state import FromState
from lisa_py.core.advice import target
from lisa_py.core.context import Context
from lisa_py.core.inputs import Inputs
from lisa_py.core.planning import cost, from_state, goals, runbook, topology
from lisa_py.core.planning.cost import CostEstimate, HardStop
from lisa_py.core.planning.goals import GOALS, AgentSelection, Goal, GoalName, Profile
from lisa_py.core.planning.runbook import Runbook, RunbookJob
from lisa_py.store import objectives


class Args(Struct, kw_only=True):
    goal: GoalName = "analysis"
    agent: AgentName = agents.DEFAULT_NESTED
    profile: Profile = ""
    budget: Annotated[int, Flag(help="token budget; default: of the current objective", minimum=1)] = 0
    topology: Annotated[str, Flag(help="team roles: planner, workers, reviewer", metavar="CSV")] = ""
    from_state: Annotated[
        str, Flag(help="handoff or status to continue from; `-` is standard input", metavar="PATH")
    ] = ""
    project_root: ProjectRoot = ""


class BudgetPlanResult(Answer):
    goal: str
    agent: str
    mode: str
    project_root: str
    profile: str
    budget: int
    topology_roles: tuple[str, ...]
    cost_estimate: CostEstimate
    hard_stop: HardStop
    runbook: Runbook
    from_state: FromState | UnsetType = UNSET
    warning: str | UnsetType = UNSET
    """Reason why the job may exceed the budget at once."""


def run(args: Args, ctx: Context) -> BudgetPlanResult:
    goal, crew, roles = (
        GOALS[args.goal],
        goals.select_agent(args.agent, args.profile),
        topology.parse_roles(args.topology),
    )
    state = from_state.load_state(Inputs(ctx), args.from_state) if args.from_state.strip() else None
    budget = args.budget or _read_objective_budget(args, ctx)
    estimate = cost.estimate_cost(goal.name, goal.mode, roles, budget)
    job = _build_job(args, ctx, goal, crew, from_state.build_prompt(state) if state else goal.prompt, budget)
    expected = estimate.total_tokens + estimate.agent_tokens
    warning = f"the budget of {budget} tokens is below the estimate of {expected}" if 0 < budget < expected else ""
    if warning:
        ctx.warn(f"budget warning: {warning}")
    return BudgetPlanResult(
        goal=goal.name,
        agent=crew.agent.name,
        mode=goal.mode,
        project_root=job.project_root,
        profile=args.profile.strip(),
        budget=budget,
        topology_roles=roles,
        cost_estimate=estimate,
        hard_stop=cost.build_hard_stop(estimate, budget, job.binary),
        runbook=runbook.build_runbook(job),
        from_state=state if state else UNSET,
        warning=warning or UNSET,
    )


def _read_objective_budget(args: Args, ctx: Context) -> int:
    objective = objectives.find_current(ctx.project(args.project_root), ctx.clock.now())
    return objective.budget if objective else 0


def _build_job(args: Args, ctx: Context, goal: Goal, crew: AgentSelection, prompt: str, budget: int) -> RunbookJob:
    return RunbookJob(
        agent=crew.agent,
        mode=goal.mode,
        nested_policy=goal.nested_policy,
        nesting_intent=goal.nesting_intent,
        project_root=ctx.project(args.project_root).root,
        prompt=prompt,
        model=crew.model or crew.agent.default_model(),
        budget=budget,
        binary=target.detect_binary(ctx.settings, ctx.cwd),
    )


def text(answer: BudgetPlanResult, args: Args) -> str:
    stop = answer.hard_stop
    return (
        f"budget_plan goal={answer.goal} mode={answer.mode} max_tokens={stop.max_tokens}"
        f" max_seconds={stop.max_seconds} max_steps={stop.max_steps}\n{stop.enforce_command}"
    )


COMMAND = Command(
    group="planning",
    args=Args,
    answer=BudgetPlanResult,
    run=run,
    text=text,
    errors=(
        "invalid_agent",
        "invalid_profile",
        "invalid_topology",
        "invalid_from_state",
    ),
    notes="""\
Nothing is started. The numbers come from a table and are not measured. `maxTokens` counts what budget-observe and
budget-enforce count for a --session: the tokens of all model calls of the agent, cached input included; the output of
lisa, which the caller reads, is added.""",
    example="lisa session budget-plan --goal exec --topology workers,reviewer --budget 1200 --json",
)
