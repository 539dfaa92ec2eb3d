"""Resolve agent and options of a job: flags first, then profile, lane and defaults of the goal."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError
from lisa_py.contract.flags import INTENT_ALIASES, INTENTS, MODE_ALIASES, MODES, POLICIES
from lisa_py.core.lifecycle import launch
from lisa_py.core.planning import goals
from lisa_py.core.planning.goals import GOALS, Goal
from lisa_py.store import lanes
from lisa_py.store.lanes import Lane
from lisa_py.store.paths import Project

LANE_ERRORS = (
    "lane_not_found",
    "lane_load_failed",
    "invalid_lane_goal",
    "invalid_lane_agent",
    "invalid_lane_mode",
    "invalid_lane_nested_policy",
    "invalid_lane_nesting_intent",
)


class AssignmentFlags(Struct, frozen=True, kw_only=True):
    """The flags as written; `given` names those that were written."""

    goal: str = goals.ANALYSIS.name
    agent: str = agents.DEFAULT_NESTED
    profile: str = ""
    lane: str = ""
    mode: str = ""
    nested_policy: str = ""
    nesting_intent: str = ""
    prompt: str = ""
    model: str = ""
    budget: int = 0
    topology: str = ""
    given: Collection[str] = ()


class Assignment(Struct, frozen=True, kw_only=True):
    """The resolved options."""

    goal: Goal
    agent: Agent
    mode: str
    nested_policy: str
    nesting_intent: str
    prompt: str
    """Empty: neither the caller nor the lane gives one."""
    model: str
    budget: int
    topology: str
    lane: str
    notes: tuple[str, ...] = ()
    """Ignored values of the lane, with reasons."""


def resolve_assignment(project: Project, flags: AssignmentFlags, *, use_default_model: bool = False) -> Assignment:
    """Resolve the options; `use_default_model` takes the default model of the agent if none is given.

    Raise LisaError: invalid_agent, invalid_profile, invalid_model, invalid_model_configuration and LANE_ERRORS.
    """
    lane = _find_lane(project, flags.lane)
    given = flags.given
    goal = _resolve_goal(flags, lane)
    selection = goals.select_agent(_resolve_agent(flags, lane), flags.profile)
    agent, notes = selection.agent, []
    model = launch.resolve_model(agent, flags.model) if flags.model.strip() else selection.model
    if not model and lane.model:
        if not agent.takes_model:
            notes.append(f"the lane's model {lane.model} is left out: {agent.name} accepts no model")
        elif lane.agent.strip().lower() not in ("", agent.name):
            notes.append(f"the lane's model {lane.model} is ignored: it belongs to {lane.agent}")
        else:
            model = launch.resolve_model(agent, lane.model)
    return Assignment(
        goal=goal,
        agent=agent,
        mode=flags.mode or _read_lane_value("mode", lane.mode, MODES, MODE_ALIASES) or goal.mode,
        nested_policy=flags.nested_policy
        or _read_lane_value("nested-policy", lane.nested_policy, POLICIES, {})
        or goal.nested_policy,
        nesting_intent=flags.nesting_intent
        or _read_lane_value("nesting-intent", lane.nesting_intent, INTENTS, INTENT_ALIASES)
        or goal.nesting_intent,
        prompt=flags.prompt if flags.prompt.strip() else lane.prompt,
        model=model or (agent.default_model() if use_default_model else ""),
        budget=flags.budget if "budget" in given else lane.budget or flags.budget,
        topology=flags.topology if "topology" in given else lane.topology or flags.topology,
        lane=lane.name,
        notes=tuple(notes),
    )


def _find_lane(project: Project, name: str) -> Lane:
    word = name.strip().lower()
    if not word:
        return Lane(name="")
    try:
        found = lanes.find(project, word)
    except LisaError as problem:
        raise LisaError("lane_load_failed", problem.message) from problem
    if found is None:
        raise LisaError("lane_not_found", f"no lane named {word} (lisa session lane --list shows the lanes)")
    return found


def _resolve_goal(flags: AssignmentFlags, lane: Lane) -> Goal:
    if "goal" in flags.given or not lane.goal:
        return GOALS[flags.goal]
    word = lane.goal.strip().lower()
    found = GOALS.get(goals.ALIASES.get(word, word))
    if found is None:
        raise LisaError("invalid_lane_goal", f'lane "{lane.name}": no goal {lane.goal} (expected {"|".join(GOALS)})')
    return found


def _resolve_agent(flags: AssignmentFlags, lane: Lane) -> str:
    if "agent" in flags.given or not lane.agent:
        return flags.agent
    if lane.agent.strip().lower() not in agents.names():
        raise LisaError("invalid_lane_agent", f'lane "{lane.name}": unknown agent {lane.agent}')
    return lane.agent


def _read_lane_value(flag: str, value: str, choices: tuple[str, ...], aliases: dict[str, str]) -> str:
    """Return the value of the lane for a flag. Raise LisaError(invalid_lane_<flag>)."""
    if not value.strip():
        return ""
    try:
        return launch.parse_choice(flag, value, choices, aliases)
    except LisaError as problem:
        raise LisaError(problem.code.replace("invalid_", "invalid_lane_"), f"the lane's {problem.message}") from problem
