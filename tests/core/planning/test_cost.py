"""core/planning/cost and topology: numbers of a plan."""

from __future__ import annotations

import pytest

from lisa_py.contract.errors import UsageError
from lisa_py.core.planning import cost, topology


@pytest.mark.parametrize(
    ("goal", "mode", "roles", "budget", "total", "stop"),
    [
        ("analysis", "interactive", (), 0, (770, 58), (184_885, 78)),
        ("nested", "exec", (), 0, (850, 73), (276_977, 98)),
        ("exec", "exec", ("workers", "planner"), 100, (1062, 74), (100, 99)),
        ("exec", "exec", (), 100, (590, 43), (100, 58)),
        ("analysis", "interactive", (), 10_000, (770, 58), (10_000, 78)),
    ],
)
def test_plan_has_the_numbers_of_the_table(
    goal: str, mode: str, roles: tuple[str, ...], budget: int, total: tuple[int, int], stop: tuple[int, int]
) -> None:
    found = cost.estimate_cost(goal, mode, roles, budget)
    limit = cost.build_hard_stop(found, budget, "lisa")
    assert (found.total_tokens, found.total_seconds) == total
    assert (limit.max_tokens, limit.max_seconds, limit.max_steps) == (*stop, 8)


def test_each_cell_is_truncated_separately() -> None:
    found = cost.estimate_cost("nested", "exec", ("planner", "workers", "reviewer"))
    assert found.topology_multiplier == "2.05"
    assert {step.step: (step.tokens, step.seconds) for step in found.steps} == {
        "preflight": (122, 2),
        "spawn": (368, 4),
        "monitor": (533, 133),
        "capture": (450, 6),
        "handoff": (184, 2),
        "cleanup": (82, 2),
    }


@pytest.mark.parametrize(("budget", "tokens"), [(1, 80), (200, 100), (300, 150), (5000, 220)])
def test_budget_limits_the_capture(budget: int, tokens: int) -> None:
    steps = {step.step: step.tokens for step in cost.estimate_cost("exec", "exec", (), budget).steps}
    assert steps["capture"] == tokens


def test_roles_are_unique_in_any_case() -> None:
    assert topology.parse_roles(" Workers, planner,workers,, ") == ("workers", "planner")
    with pytest.raises(UsageError) as refused:
        topology.parse_roles("workers,boss")
    assert refused.value.code == "invalid_topology"


def test_team_graph_is_planner_workers_reviewer() -> None:
    team = topology.build_topology(("reviewer", "planner", "workers"))
    assert [(node.id, node.role) for node in team.nodes] == [
        ("planner", "planner"),
        ("worker-1", "worker"),
        ("worker-2", "worker"),
        ("reviewer", "reviewer"),
    ]
    assert [(edge.start, edge.end) for edge in team.edges] == [
        ("planner", "worker-1"),
        ("planner", "worker-2"),
        ("worker-1", "reviewer"),
        ("worker-2", "reviewer"),
    ]


def test_graph_without_workers_is_planner_reviewer() -> None:
    assert [(edge.start, edge.end) for edge in topology.build_topology(("planner", "reviewer")).edges] == [
        ("planner", "reviewer")
    ]
    assert topology.build_topology(("workers",)).edges == ()
