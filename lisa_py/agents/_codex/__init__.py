"""The parts of the codex agent; `agents/codex.py` combines them.

Tests: tests/agents/test_codex*.py, tests/agents_live/test_codex_*.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lisa_py.agents._codex import reports, session, title, transcript

    __all__ = ["reports", "session", "title", "transcript"]

BYPASS = "--dangerously-bypass-approvals-and-sandbox"
FULL_AUTO = "--full-auto"

_SIGNALS = ("reports", "session", "title", "transcript")


def __getattr__(name: str) -> Any:
    """Import a module of the agent's signals at its first use: sessions of other programs need none of them."""
    if name not in _SIGNALS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return __import__(f"{__name__}.{name}", fromlist=("",))
