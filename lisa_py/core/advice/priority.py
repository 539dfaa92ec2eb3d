"""Urgency of a session."""

from __future__ import annotations

_PRIORITY_BY_STATE = {
    "crashed": (100, "critical"),
    "stuck": (96, "critical"),
    "degraded": (92, "high"),
    "waiting_input": (86, "needs_input"),
    "in_progress": (70, "active"),
    "completed": (20, "complete"),
    "not_found": (5, "missing"),
}
AMBIGUOUS_ROOT_PRIORITY = (98, "high")
"""For a name used in several projects."""


def session_priority(session_state: str) -> tuple[int, str]:
    """Return (score, label); 100 is the most urgent."""
    return _PRIORITY_BY_STATE.get(session_state, (40, "unknown"))
