"""Sort and count what runs beside the turn of an agent."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from lisa_py.contract.status import Helper, HelperKind

ENDED_SHOWN = 20
"""Helpers that have ended and are still listed."""
_NAMES: dict[HelperKind, str] = {
    "subagent": "subagent",
    "shell": "background shell",
    "teammate": "teammate",
    "task": "background task",
}


def sort_helpers(helpers: Sequence[Helper], now: float) -> tuple[Helper, ...]:
    """Return the helpers with their ages: those that run, oldest first, then the newest ended ones."""
    aged = [
        structs.replace(each, age_seconds=max(0, int((each.ended_unix or now) - each.started_unix)))
        for each in sorted(helpers, key=lambda each: each.started_unix)
    ]
    ended = [each for each in aged if each.state == "ended"]
    return (*(each for each in aged if each.state == "running"), *reversed(ended[-ENDED_SHOWN:]))


def describe_running(helpers: Sequence[Helper]) -> str:
    """Return what still runs: `1 background shell still runs`; empty if nothing does."""
    parts = []
    running = [each.kind for each in helpers if each.state == "running"]
    for kind, name in _NAMES.items():
        if number := running.count(kind):
            parts.append(f"{number} {name}{'s' if number > 1 else ''}")
    return f"{' and '.join(parts)} still run{'s' if len(running) == 1 else ''}" if parts else ""
