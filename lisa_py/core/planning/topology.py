"""Team topologies: roles of a job, their order, and the added cost."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.errors import UsageError

ROLES = ("planner", "workers", "reviewer")
WORKER_COUNT = 2
_EXTRA_COST = (("workers", 0.6), ("planner", 0.2), ("reviewer", 0.25))
"""Added to 1.0 in this order: the last digit of the sum depends on it."""


class TeamNode(Struct, frozen=True):
    """One role of the team."""

    id: str
    role: str


class TeamEdge(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """One edge from a role to the next."""

    start: str
    end: str


class Topology(Struct, frozen=True):
    """The team as a graph."""

    roles: tuple[str, ...]
    nodes: tuple[TeamNode, ...]
    edges: tuple[TeamEdge, ...]


def parse_roles(text: str) -> tuple[str, ...]:
    """Return the roles of a comma-separated list, each once, in order. Raise UsageError(invalid_topology)."""
    words = [word.strip().lower() for word in text.split(",")]
    roles = tuple(dict.fromkeys(word for word in words if word))
    for role in roles:
        if role not in ROLES:
            raise UsageError("invalid_topology", f"invalid --topology: {role} (expected {','.join(ROLES)})")
    return roles


def build_topology(roles: Sequence[str]) -> Topology:
    workers = [f"worker-{number + 1}" for number in range(WORKER_COUNT)] if "workers" in roles else []
    nodes = [TeamNode("planner", "planner")] if "planner" in roles else []
    nodes += [TeamNode(name, "worker") for name in workers]
    nodes += [TeamNode("reviewer", "reviewer")] if "reviewer" in roles else []
    return Topology(tuple(roles), tuple(nodes), tuple(_build_edges(roles, workers)))


def _build_edges(roles: Sequence[str], workers: Sequence[str]) -> list[TeamEdge]:
    edges = [TeamEdge("planner", name) for name in workers] if "planner" in roles else []
    edges += [TeamEdge(name, "reviewer") for name in workers] if "reviewer" in roles else []
    if not workers and "planner" in roles and "reviewer" in roles:
        edges.append(TeamEdge("planner", "reviewer"))
    return edges


def cost_multiplier(roles: Sequence[str]) -> float:
    """Return the cost factor of the team relative to one agent."""
    factor = 1.0
    for role, extra in _EXTRA_COST:
        if role in roles:
            factor += extra
    return factor
