"""The agent a caller wants a session to be taken for."""

from __future__ import annotations

from lisa_py import agents
from lisa_py.contract.errors import UsageError


def parse_agent_hint(word: str) -> str:
    """`auto` or the name of an agent. Raises UsageError(invalid_agent_hint)."""
    name = word.strip().lower() or "auto"
    if name != "auto" and name not in agents.names():
        raise UsageError("invalid_agent_hint", f"invalid --agent: {word} (expected auto|{'|'.join(agents.names())})")
    return name
