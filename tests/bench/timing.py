"""Measure several calls in turn, round after round, so that a slow moment affects them all."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median


def measure_wall_times(actions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each call by name, one figure per round."""
    return {name: [wall for wall, _ in times] for name, times in measure_wall_and_cpu_times(actions, rounds).items()}


def measure_wall_and_cpu_times(
    actions: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Return CPU seconds of the started processes by name: less sensitive to other load than wall time."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            spent, began = _children_cpu_seconds(), time.perf_counter()
            action()
            took[name].append((time.perf_counter() - began, _children_cpu_seconds() - spent))
    return took


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def format_median_milliseconds(seconds: Sequence[float]) -> str:
    return f"{median(seconds) * 1000:.1f}"


def percentile(seconds: Sequence[float], fraction: float) -> float:
    """Return the given quantile of the figures: 0.95 for p95."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]
