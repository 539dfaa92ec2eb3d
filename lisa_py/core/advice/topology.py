"""Team shapes: which roles share a job, who hands on to whom, and how much dearer each makes it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.errors import UsageError

ROLES = ("planner", "workers", "reviewer")
WORKERS = 2
_EXTRA = (("workers", 0.6), ("planner", 0.2), ("reviewer", 0.25))
"""Added to 1.0 in this order: the last digit of the sum depends on it."""


class Node(Struct, frozen=True):
    """One agent of the team."""

    id: str
    role: str


class Edge(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Who hands on to whom."""

    start: str
    end: str


class Topology(Struct, frozen=True):
    """The team as a graph."""

    roles: tuple[str, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def parse(text: str) -> tuple[str, ...]:
    """The roles of a comma-separated list, each once, in the order written. Raises UsageError(invalid_topology)."""
    words = [word.strip().lower() for word in text.split(",")]
    roles = tuple(dict.fromkeys(word for word in words if word))
    for role in roles:
        if role not in ROLES:
            raise UsageError("invalid_topology", f"invalid --topology: {role} (expected {','.join(ROLES)})")
    return roles


def build(roles: Sequence[str]) -> Topology:
    workers = [f"worker-{number + 1}" for number in range(WORKERS)] if "workers" in roles else []
    nodes = [Node("planner", "planner")] if "planner" in roles else []
    nodes += [Node(name, "worker") for name in workers]
    nodes += [Node("reviewer", "reviewer")] if "reviewer" in roles else []
    return Topology(tuple(roles), tuple(nodes), tuple(_edges(roles, workers)))


def _edges(roles: Sequence[str], workers: Sequence[str]) -> list[Edge]:
    edges = [Edge("planner", name) for name in workers] if "planner" in roles else []
    edges += [Edge(name, "reviewer") for name in workers] if "reviewer" in roles else []
    if not workers and "planner" in roles and "reviewer" in roles:
        edges.append(Edge("planner", "reviewer"))
    return edges


def multiplier(roles: Sequence[str]) -> float:
    """How much dearer the team is than one agent alone."""
    factor = 1.0
    for role, extra in _EXTRA:
        if role in roles:
            factor += extra
    return factor
