"""Who does a job: the caller's word, the profile, the lane, the goal's defaults, in this order."""

from __future__ import annotations

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.core.planning.resolve import Assignment, AssignmentFlags, resolve_assignment
from lisa_py.store import lanes
from lisa_py.store.lanes import Lane
from tests.lisa_host import LisaHost


def _lane(machine: LisaHost, **fields: str | int) -> None:
    ctx = machine.context()
    with lanes.registry(ctx.project()).change(ctx.settings, ctx.clock.now()) as open_:
        open_.content.lanes["fix"] = Lane(name="fix", **fields)  # type: ignore[arg-type]


def _decide(machine: LisaHost, **words: str | int) -> Assignment:
    flags = AssignmentFlags(**words, given=words.keys())  # type: ignore[arg-type]
    return resolve_assignment(machine.context().project(), flags, use_default_model=True)


def test_flags_precede_the_lane(machine: LisaHost) -> None:
    _lane(machine, goal="exec", agent="claude", mode="exec", nested_policy="force", nesting_intent="nested",
          prompt="lane", budget=9, topology="workers")  # fmt: skip
    own: dict[str, str | int] = {"goal": "analysis", "agent": "codex", "mode": "interactive", "nested_policy": "off",
           "nesting_intent": "neutral", "prompt": "mine", "budget": 7, "topology": "planner"}  # fmt: skip
    found = _decide(machine, lane="fix", **own)
    assert (found.goal.name, found.agent.name) == ("analysis", "codex")
    assert {name: getattr(found, name) for name in list(own)[2:]} == dict(list(own.items())[2:])
    assert found.lane == "fix"
    by_lane = _decide(machine, lane="fix")
    assert (by_lane.goal.name, by_lane.agent.name, by_lane.mode, by_lane.prompt) == ("exec", "claude", "exec", "lane")


def test_lane_precedes_implicit_defaults(machine: LisaHost) -> None:
    _lane(machine, goal="nested", agent="claude")
    found = _decide(machine, lane="fix")
    assert (found.goal.name, found.agent.name, found.nested_policy) == ("nested", "claude", "force")


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("goal", "invalid_lane_goal"),
        ("agent", "invalid_lane_agent"),
        ("mode", "invalid_lane_mode"),
        ("nested_policy", "invalid_lane_nested_policy"),
        ("nesting_intent", "invalid_lane_nesting_intent"),
    ],
)
def test_invalid_lane_value_names_the_lane(machine: LisaHost, field: str, code: str) -> None:
    _lane(machine, **{field: "sideways"})
    with pytest.raises(LisaError) as problem:
        _decide(machine, lane="fix")
    assert problem.value.code == code
    given = {"goal": "exec", "agent": "codex", "mode": "exec", "nested_policy": "off", "nesting_intent": "auto"}[field]
    assert _decide(machine, lane="fix", **{field: given}).lane == "fix"


def test_model_is_given_only_to_agents_that_accept_it(machine: LisaHost) -> None:
    assert _decide(machine, agent="claude").model == ""
    assert _decide(machine, agent="codex").model == "gpt-5.3-codex-spark"
    assert _decide(machine, profile="codex-spark", model="mine").model == "mine"
    _lane(machine, agent="codex", model="of-the-lane")
    assert _decide(machine, lane="fix").model == "of-the-lane"
    other = _decide(machine, lane="fix", agent="claude")
    assert (other.model, len(other.notes)) == ("", 1)
