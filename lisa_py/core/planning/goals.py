"""Goals of orchestration with their default mode, policy, prompt, agent and model."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py import agents
from lisa_py.agents.base import Agent
from lisa_py.contract.command import Flag
from lisa_py.contract.errors import UsageError


class Goal(Struct, frozen=True, kw_only=True):
    """Default start of an agent for a goal."""

    name: str
    mode: str
    nested_policy: str
    nesting_intent: str
    prompt: str


ANALYSIS = Goal(
    name="analysis",
    mode="interactive",
    nested_policy="off",
    nesting_intent="neutral",
    prompt="Analyze current task and propose next concrete actions.",
)
EXEC = Goal(
    name="exec",
    mode="exec",
    nested_policy="off",
    nesting_intent="neutral",
    prompt="Run the task and return concise final output.",
)
NESTED = Goal(
    name="nested",
    mode="exec",
    nested_policy="force",
    nesting_intent="nested",
    prompt="Create nested lisa workers and report markers.",
)
GOALS = {goal.name: goal for goal in (NESTED, ANALYSIS, EXEC)}
ALIASES = {"execution": "exec"}

GoalName = Annotated[str, Flag(help="goal of the job", choices=tuple(GOALS), aliases=ALIASES, code="invalid_goal")]
Profile = Annotated[str, Flag(help="agent with its model, such as codex-spark or claude", metavar="NAME")]


class AgentSelection(Struct, frozen=True):
    """Agent for a job."""

    agent: Agent
    model: str = ""
    """Model of a profile; empty: none."""


def list_profiles() -> dict[str, AgentSelection]:
    """Map each short model name to its agent; an agent without short names maps to itself."""
    found: dict[str, AgentSelection] = {}
    for agent in (agents.get(name) for name in agents.names()):
        if agent.hidden:
            continue
        for alias, model in agent.model_aliases.items():
            found[alias] = AgentSelection(agent, model)
        if not agent.model_aliases:
            found[agent.name] = AgentSelection(agent)
    return found


def select_agent(agent: str, profile: str) -> AgentSelection:
    """Return the agent of the flags; a profile overrides it. Raise LisaError(invalid_agent | invalid_profile)."""
    named_agent = agents.get(agent or agents.DEFAULT)
    word = profile.strip().lower()
    if not word:
        return AgentSelection(named_agent)
    known = list_profiles()
    if word not in known:
        raise UsageError("invalid_profile", f"invalid --profile: {profile} (expected {'|'.join(sorted(known))})")
    return known[word]
