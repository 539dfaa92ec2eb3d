"""One file per agent CLI: its names, start, output, input, and the meaning of its signals.

Tests: tests/agents, tests/agents_live (real CLIs).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.records import SessionMeta

if TYPE_CHECKING:
    from lisa_py.terminal.layout import Layout

DEFAULT = "claude"
"""The default agent."""
DEFAULT_NESTED = "codex"
"""The default agent of nested detection: the one with a sandbox to lift."""
BUNDLED = "scripted"
"""The bundled agent, which needs no installation."""

_SHARED = ("base.py", "launch.py")
"""Modules that are no agents."""
_HERE = os.path.dirname(__file__)


def names() -> tuple[str, ...]:
    """Return the names of all agents: the files of this folder are the registration."""
    return tuple(
        sorted(
            entry[:-3]
            for entry in os.listdir(_HERE)
            if entry.endswith(".py") and entry not in _SHARED and not entry.startswith("_")
        )
    )


def get(name: str) -> Agent:
    """Return the agent of this name. Raise LisaError(invalid_agent)."""
    word = name.strip().lower()
    if word not in names():
        raise LisaError("invalid_agent", f"invalid --agent: {name} (expected {'|'.join(names())})")
    found: Agent = __import__(f"lisa_py.agents.{word}", fromlist=("AGENT",)).AGENT
    return found


def find_by_provider(provider: str) -> Agent | None:
    """Return the agent for the models of a provider; None if there is none."""
    return next((agent for agent in map(get, names()) if provider in agent.providers), None)


def get_or_default(name: str) -> Agent:
    """Return the agent of this name, or one without signals if its file was removed."""
    try:
        return get(name)
    except LisaError:
        return Agent()


def drawing(meta: SessionMeta | None = None) -> tuple[Agent, ...]:
    """Return the agents that may draw the pane of a session: its own; all for a custom command or unknown session."""
    if meta is not None and not meta.custom_command and meta.agent in names():
        return (get(meta.agent),)
    return tuple(map(get, names()))


def merge_layouts(some: Sequence[Agent]) -> Layout:
    """Return the screen signs of some agents together."""
    from lisa_py.terminal import layout  # noqa: PLC0415 - its patterns cost a millisecond

    return layout.merge(agent.layout() for agent in some)


def layout_of(meta: SessionMeta | None = None) -> Layout:
    """Return the screen signs of the agents that may draw the pane of a session, or a text of unknown origin."""
    return merge_layouts(drawing(meta))


def parse_agent_hint(word: str) -> str:
    """Return `auto` or the name of an agent. Raise UsageError(invalid_agent_hint)."""
    name = word.strip().lower() or "auto"
    if name != "auto" and name not in names():
        raise UsageError("invalid_agent_hint", f"invalid --agent: {word} (expected auto|{'|'.join(names())})")
    return name
