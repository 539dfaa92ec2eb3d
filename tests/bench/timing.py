"""Measuring: several things in turn, round after round, so that a slow moment hits them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median


def interleaved(things: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds each thing took, by name, one figure a round."""
    took: dict[str, list[float]] = {name: [] for name in things}
    for _ in range(rounds):
        for name, thing in things.items():
            began = time.perf_counter()
            thing()
            took[name].append(time.perf_counter() - began)
    return took


def milliseconds(seconds: Sequence[float]) -> str:
    return f"{median(seconds) * 1000:.1f}"


def share(seconds: Sequence[float], part: float) -> float:
    """The value that this part of the figures does not exceed: 0.95 for p95."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
