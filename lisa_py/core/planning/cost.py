"""Cost estimate of a job in tokens and seconds, from a table."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract import command_line
from lisa_py.contract.answer import Answer
from lisa_py.contract.command_line import ShellVariable
from lisa_py.core.planning import topology

METRICS_FILE = ShellVariable("RUNTIME_METRICS_JSON")
_BASE = {
    "preflight": (60, 1),
    "spawn": (140, 2),
    "monitor": (180, 35),
    "capture": (220, 3),
    "handoff": (90, 1),
    "cleanup": (40, 1),
}
_INTERACTIVE_MONITOR = (220, 50)
_NESTED_SPAWN = (180, 2)
_NESTED_MONITOR = (260, 65)
_CAPTURE_MINIMUM, _CAPTURE_MAXIMUM = 80, 220
_AGENT_CALLS = {"nested": 12}
_DEFAULT_AGENT_CALLS = 8
"""Model calls of the agent: one per answer and one per group of tools."""
_TOKENS_PER_CALL = 20_000
"""Input and output of one call: instructions, tools and the conversation so far are sent each time."""


class CostStep(Struct, frozen=True):
    """One step of the job."""

    step: str
    tokens: int
    seconds: int


class CostEstimate(Answer):
    """The whole job."""

    goal: str
    mode: str
    topology_multiplier: str
    """Rounded to two decimals."""
    total_tokens: int
    """Tokens of lisa's output, which the caller reads."""
    agent_tokens: int
    """Tokens of the agent's model calls, as budget-observe and budget-enforce count those of a session."""
    total_seconds: int
    steps: tuple[CostStep, ...]


class HardStop(Answer):
    """Limits at which a runaway job is stopped."""

    max_tokens: int
    """For both kinds of tokens together."""
    max_seconds: int
    max_steps: int
    enforce_command: str


def estimate_cost(goal: str, mode: str, roles: Sequence[str] = (), budget: int = 0) -> CostEstimate:
    factor = topology.cost_multiplier(roles)
    steps = tuple(
        CostStep(name, int(tokens * factor), int(seconds * factor))
        for name, (tokens, seconds) in _build_cost_table(goal, mode, budget).items()
    )
    return CostEstimate(
        goal=goal,
        mode=mode,
        topology_multiplier=f"{factor:.2f}",
        total_tokens=sum(step.tokens for step in steps),
        agent_tokens=int(_AGENT_CALLS.get(goal, _DEFAULT_AGENT_CALLS) * _TOKENS_PER_CALL * factor),
        total_seconds=sum(step.seconds for step in steps),
        steps=steps,
    )


def _build_cost_table(goal: str, mode: str, budget: int) -> dict[str, tuple[int, int]]:
    table = dict(_BASE)
    if mode == "interactive":
        table["monitor"] = _INTERACTIVE_MONITOR
    if goal == "nested":
        table["spawn"] = _NESTED_SPAWN
        table["monitor"] = _NESTED_MONITOR
    if budget > 0:
        tokens = min(_CAPTURE_MAXIMUM, max(_CAPTURE_MINIMUM, budget // 2))
        table["capture"] = (tokens, table["capture"][1])
    return table


def build_hard_stop(cost: CostEstimate, budget: int, binary: str) -> HardStop:
    """Return the estimate with a margin, but never above the budget."""
    tokens = int(max(1, cost.total_tokens + cost.agent_tokens) * 1.15)
    tokens = min(tokens, budget) if budget > 0 else tokens
    seconds = int(max(1, cost.total_seconds) * 1.35)
    steps = len(cost.steps) + 2
    return HardStop(
        max_tokens=tokens,
        max_seconds=seconds,
        max_steps=steps,
        enforce_command=str(
            command_line.build(
                "session budget-enforce",
                binary=binary,
                max_tokens=tokens,
                max_seconds=seconds,
                max_steps=steps,
                from_=METRICS_FILE,
                json=True,
            )
        ),
    )
