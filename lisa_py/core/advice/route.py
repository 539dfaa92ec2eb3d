"""Routing: which agent, mode, policy and model suit a goal, as a command line, with a plan and a price if asked for."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.from_state import FromState
from lisa_py.core.advice import assignment, cost, dispatch, from_state, next_action, runbook, topology
from lisa_py.core.advice.assignment import Assignment, Wishes
from lisa_py.core.advice.cost import CostEstimate
from lisa_py.core.advice.dispatch import Item, Wave
from lisa_py.core.advice.given import Inputs
from lisa_py.core.advice.runbook import Job, Runbook
from lisa_py.core.advice.topology import Topology
from lisa_py.core.context import Context
from lisa_py.core.life import launch
from lisa_py.core.life.launch import Resolved
from lisa_py.core.life.nesting import NestedDetection

HINTS = {
    "interactive": "session monitor --stop-on-waiting true --json",
    "exec": "session monitor --expect terminal --json",
}
BYTES_PER_TOKEN = 4


class RouteRequest(Struct, frozen=True, kw_only=True):
    """What is wished for, and which extras are wanted."""

    wishes: Wishes
    project_root: str = ""
    from_state: str = ""
    strict: bool = False
    queue: bool = False
    sessions: tuple[str, ...] = ()
    queue_limit: int = 0
    concurrency: int = 1
    cost_estimate: bool = False
    emit_runbook: bool = False


class Route(Struct, frozen=True, kw_only=True, rename="camel"):
    """The recommendation; what is UNSET was not asked for."""

    goal: str
    project_root: str
    agent: str
    mode: str
    nested_policy: str
    nesting_intent: str
    prompt: str
    model: str
    profile: str
    command: str
    monitor_hint: str
    nested_detection: NestedDetection
    rationale: tuple[str, ...]
    concurrency: int
    lane: str | UnsetType = UNSET
    budget: int | UnsetType = UNSET
    from_state: FromState | UnsetType = UNSET
    queue: tuple[Item, ...] | UnsetType = UNSET
    queue_count: int | UnsetType = UNSET
    dispatch_plan: tuple[Wave, ...] | UnsetType = UNSET
    topology: Topology | UnsetType = UNSET
    cost_estimate: CostEstimate | UnsetType = UNSET
    prompt_tokens: int | UnsetType = UNSET
    """What the prompt itself adds to the estimate, at four bytes a token."""
    runbook: Runbook | UnsetType = UNSET


def plan(ctx: Context, request: RouteRequest) -> Route:
    """Decide and put together what was asked for; nothing is started.

    Raises LisaError: what assignment.decide, launch.resolve, from_state.load, topology.parse and dispatch.build raise.
    """
    project = ctx.project(request.project_root)
    decided = assignment.decide(project, request.wishes, usual_model=True)
    roles = topology.parse(decided.topology)
    state = None
    if request.from_state.strip():
        state = from_state.load(Inputs(ctx), request.from_state, strict=request.strict)
    prompt = decided.prompt or (from_state.prompt(state) if state else decided.goal.prompt)
    start = _start(decided, prompt)
    detection = start.effective()
    queue = _queue(ctx, request, decided.budget)
    estimate = cost.estimate(decided.goal.name, decided.mode, roles, decided.budget) if request.cost_estimate else UNSET
    for note in decided.notes:
        ctx.warn(note)
    return Route(
        goal=decided.goal.name,
        project_root=project.root,
        agent=decided.agent.name,
        mode=decided.mode,
        nested_policy=decided.nested_policy,
        nesting_intent=decided.nesting_intent,
        prompt=prompt,
        model=decided.model,
        profile=request.wishes.profile,
        command=start.command,
        monitor_hint=HINTS[decided.mode],
        nested_detection=detection,
        rationale=_rationale(decided, detection, roles),
        concurrency=request.concurrency,
        lane=decided.lane or UNSET,
        budget=decided.budget or UNSET,
        from_state=state if state else UNSET,
        queue=queue.items if queue else UNSET,
        queue_count=len(queue.items) if queue else UNSET,
        dispatch_plan=queue.waves if queue else UNSET,
        topology=topology.build(roles) if roles else UNSET,
        cost_estimate=estimate,
        prompt_tokens=UNSET if estimate is UNSET else -(-len(prompt.encode("utf-8", "replace")) // BYTES_PER_TOKEN),
        runbook=runbook.build(_job(ctx, decided, prompt, project.root)) if request.emit_runbook else UNSET,
    )


def _start(decided: Assignment, prompt: str) -> Resolved:
    return launch.resolve(
        launch.Request(
            agent=decided.agent.name,
            mode=decided.mode,
            prompt=prompt,
            model=decided.model,
            nested_policy=decided.nested_policy,
            nesting_intent=decided.nesting_intent,
        )
    )


def _queue(ctx: Context, request: RouteRequest, budget: int) -> dispatch.Queue | None:
    if not request.queue:
        return None
    return dispatch.build(
        ctx,
        ctx.project(request.project_root),
        request.sessions,
        request.project_root,
        budget=budget,
        limit=request.queue_limit,
        concurrency=request.concurrency,
    )


def _rationale(decided: Assignment, detection: NestedDetection, roles: tuple[str, ...]) -> tuple[str, ...]:
    said = (
        ("goal", decided.goal.name),
        ("mode", decided.mode),
        ("nested_policy", decided.nested_policy),
        ("nesting_intent", decided.nesting_intent),
        ("model", decided.model),
        ("nested_reason", detection.reason),
        ("budget", str(decided.budget or "")),
        ("topology", ",".join(roles)),
        ("lane", decided.lane),
    )
    return tuple(f"{name}={value}" for name, value in said if value)


def _job(ctx: Context, decided: Assignment, prompt: str, root: str) -> Job:
    return Job(
        agent=decided.agent,
        mode=decided.mode,
        nested_policy=decided.nested_policy,
        nesting_intent=decided.nesting_intent,
        project_root=root,
        prompt=prompt,
        model=decided.model,
        budget=decided.budget,
        binary=next_action.binary(ctx.settings, ctx.cwd),
    )
