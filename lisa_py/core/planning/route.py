"""Recommend agent, mode, policy and model for a goal, with a command line, optional plan and cost."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.from_state import FromState
from lisa_py.core.advice import target
from lisa_py.core.context import Context
from lisa_py.core.inputs import Inputs
from lisa_py.core.lifecycle import launch
from lisa_py.core.lifecycle.launch import ResolvedLaunch
from lisa_py.core.lifecycle.nesting import NestedDetection
from lisa_py.core.output import token_budget
from lisa_py.core.planning import cost, dispatch_queue, from_state, resolve, runbook, topology
from lisa_py.core.planning.cost import CostEstimate
from lisa_py.core.planning.dispatch_queue import DispatchWave, QueueItem
from lisa_py.core.planning.resolve import Assignment, AssignmentFlags
from lisa_py.core.planning.runbook import Runbook, RunbookJob
from lisa_py.core.planning.topology import Topology


class RouteRequest(Struct, frozen=True, kw_only=True):
    """Goal, options and requested extras."""

    flags: AssignmentFlags
    project_root: str = ""
    from_state: str = ""
    strict: bool = False
    queue: bool = False
    sessions: tuple[str, ...] = ()
    queue_limit: int = 0
    concurrency: int = 1
    cost_estimate: bool = False
    emit_runbook: bool = False


class RouteResult(Answer):
    """The recommendation; UNSET parts were not requested."""

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
    queue: tuple[QueueItem, ...] | UnsetType = UNSET
    queue_count: int | UnsetType = UNSET
    dispatch_plan: tuple[DispatchWave, ...] | UnsetType = UNSET
    topology: Topology | UnsetType = UNSET
    cost_estimate: CostEstimate | UnsetType = UNSET
    prompt_tokens: int | UnsetType = UNSET
    """Number of tokens of the prompt, at four bytes each."""
    runbook: Runbook | UnsetType = UNSET


def plan_route(ctx: Context, request: RouteRequest) -> RouteResult:
    """Build the recommendation; nothing is started.

    Raise LisaError with the codes of resolve, launch, from_state, topology and dispatch_queue.
    """
    project = ctx.project(request.project_root)
    decided = resolve.resolve_assignment(project, request.flags, use_default_model=True)
    roles = topology.parse_roles(decided.topology)
    state = None
    if request.from_state.strip():
        state = from_state.load_state(Inputs(ctx), request.from_state, strict=request.strict)
    prompt = decided.prompt or (from_state.build_prompt(state) if state else decided.goal.prompt)
    start = _resolve_launch(decided, prompt)
    detection = start.effective_detection()
    queue = _build_queue(ctx, request, decided.budget)
    estimate = (
        cost.estimate_cost(decided.goal.name, decided.mode, roles, decided.budget) if request.cost_estimate else UNSET
    )
    for note in decided.notes:
        ctx.warn(note)
    return RouteResult(
        goal=decided.goal.name,
        project_root=project.root,
        agent=decided.agent.name,
        mode=decided.mode,
        nested_policy=decided.nested_policy,
        nesting_intent=decided.nesting_intent,
        prompt=prompt,
        model=decided.model,
        profile=request.flags.profile,
        command=launch.show_launch(ctx, start, project.root).command,
        monitor_hint=_build_monitor_hint(decided.mode),
        nested_detection=detection,
        rationale=_build_rationale(decided, detection, roles),
        concurrency=request.concurrency,
        lane=decided.lane or UNSET,
        budget=decided.budget or UNSET,
        from_state=state if state else UNSET,
        queue=queue.items if queue else UNSET,
        queue_count=len(queue.items) if queue else UNSET,
        dispatch_plan=queue.waves if queue else UNSET,
        topology=topology.build_topology(roles) if roles else UNSET,
        cost_estimate=estimate,
        prompt_tokens=UNSET if estimate is UNSET else token_budget.count_tokens(prompt.encode("utf-8", "replace")),
        runbook=runbook.build_runbook(_build_job(ctx, decided, prompt, project.root))
        if request.emit_runbook
        else UNSET,
    )


def _resolve_launch(decided: Assignment, prompt: str) -> ResolvedLaunch:
    return launch.resolve_launch(
        launch.LaunchRequest(
            agent=decided.agent.name,
            mode=decided.mode,
            prompt=prompt,
            model=decided.model,
            nested_policy=decided.nested_policy,
            nesting_intent=decided.nesting_intent,
        )
    )


def _build_queue(ctx: Context, request: RouteRequest, budget: int) -> dispatch_queue.DispatchQueue | None:
    if not request.queue:
        return None
    return dispatch_queue.build_queue(
        ctx,
        ctx.project(request.project_root),
        request.sessions,
        request.project_root,
        budget=budget,
        limit=request.queue_limit,
        concurrency=request.concurrency,
    )


def _build_rationale(decided: Assignment, detection: NestedDetection, roles: tuple[str, ...]) -> tuple[str, ...]:
    entries = (
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
    return tuple(f"{name}={value}" for name, value in entries if value)


def _build_monitor_hint(mode: str) -> str:
    """Return the words after the name of the program."""
    return " ".join(runbook.build_monitor_line(mode).argv[1:])


def _build_job(ctx: Context, decided: Assignment, prompt: str, root: str) -> RunbookJob:
    return RunbookJob(
        agent=decided.agent,
        mode=decided.mode,
        nested_policy=decided.nested_policy,
        nesting_intent=decided.nesting_intent,
        project_root=root,
        prompt=prompt,
        model=decided.model,
        budget=decided.budget,
        binary=target.detect_binary(ctx.settings, ctx.cwd),
    )
