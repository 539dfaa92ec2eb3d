"""One file per agent CLI: its names, start, output, input, and the meaning of its signals.

Tests: tests/agents, tests/agents_live (real CLIs).
"""

from __future__ import annotations

import importlib
import os

from lisa_py.agents.base import Agent
from lisa_py.contract.errors import LisaError, UsageError

DEFAULT = "claude"
"""The default agent."""
DEFAULT_NESTED = "codex"
"""The default agent of nested detection: the one with a sandbox to lift."""
BUNDLED = "scripted"
"""The bundled agent, which needs no installation."""

_HERE = os.path.dirname(__file__)


def names() -> tuple[str, ...]:
    """Return the names of all agents: the files of this folder are the registration."""
    return tuple(
        sorted(
            entry[:-3]
            for entry in os.listdir(_HERE)
            if entry.endswith(".py") and entry != "base.py" and not entry.startswith("_")
        )
    )


def get(name: str) -> Agent:
    """Return the agent of this name. Raise LisaError(invalid_agent)."""
    word = name.strip().lower()
    if word not in names():
        raise LisaError("invalid_agent", f"invalid --agent: {name} (expected {'|'.join(names())})")
    found: Agent = importlib.import_module(f"lisa_py.agents.{word}").AGENT
    return found


def get_or_default(name: str) -> Agent:
    """Return the agent of this name, or one without signals if its file was removed."""
    try:
        return get(name)
    except LisaError:
        return Agent()


def parse_agent_hint(word: str) -> str:
    """Return `auto` or the name of an agent. Raise UsageError(invalid_agent_hint)."""
    name = word.strip().lower() or "auto"
    if name != "auto" and name not in names():
        raise UsageError("invalid_agent_hint", f"invalid --agent: {word} (expected auto|{'|'.join(names())})")
    return name
