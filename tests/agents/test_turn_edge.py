"""Hooks of each agent that mark an accepted prompt or the end of a turn."""

from __future__ import annotations

import pytest

from lisa_py import agents
from lisa_py.agents._claude.settings import EVENTS as CLAUDE
from lisa_py.agents._codex.hooks import EVENTS as CODEX
from lisa_py.agents.base import Agent

EDGES = {
    "claude": {"UserPromptSubmit": "prompt", "Stop": "end", "StopFailure": "end"},
    "codex": {"UserPromptSubmit": "prompt", "Stop": "end"},
    "scripted": {"UserPromptSubmit": "prompt", "Stop": "end", "StopFailure": "end"},
}
FIRED = {"claude": CLAUDE, "codex": CODEX, "scripted": CLAUDE}


@pytest.mark.parametrize("name", EDGES)
def test_only_listed_hooks_bound_a_turn(name: str) -> None:
    agent = agents.get(name)
    edges = {event: agent.turn_edge({"hook": event, "at": 1.0}) for event in (*FIRED[name], "", "PreCompact")}
    assert {event: edge for event, edge in edges.items() if edge} == EDGES[name]
    assert agent.turn_edge({}) == ""


def test_unknown_agent_reports_nothing() -> None:
    assert {Agent().turn_edge({"hook": event}) for event in {*CLAUDE, *CODEX}} == {""}
