"""The parts of the claude agent; `agents/claude.py` combines them.

Tests: tests/agents/test_claude*.py, tests/agents_live/test_claude_*.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lisa_py.agents._claude import home, reports, session

    __all__ = ["home", "reports", "session"]

_SIGNALS = ("home", "reports", "session")


def __getattr__(name: str) -> Any:
    """Import a module of the agent's signals at its first use: sessions of other programs need none of them."""
    if name not in _SIGNALS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return __import__(f"{__name__}.{name}", fromlist=("",))
