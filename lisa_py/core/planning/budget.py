"""Budgets: usage of a job by its reports, combination of reports, and exceeded limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.core.planning.usage_metrics import METRICS, UsageReading

"""Error codes of the flags for usage, for commands that take them."""


class UsageAmounts(Struct, frozen=True, kw_only=True):
    """Usage; a metric without report is 0."""

    tokens: int = 0
    seconds: int = 0
    steps: int = 0


class BudgetLimits(Answer):
    """Limits; 0: unlimited."""

    max_tokens: int = 0
    max_seconds: int = 0
    max_steps: int = 0

    def limit_for(self, metric: str) -> int:
        return int(getattr(self, f"max_{metric}"))


class BudgetViolation(Struct, frozen=True):
    """One exceeded limit."""

    metric: str
    observed: int
    limit: int


class UsageReport(Struct, frozen=True):
    """One source and its metrics."""

    source: str
    reading: UsageReading


class UsageSummary(Struct, frozen=True, kw_only=True):
    """All reports together."""

    amounts: UsageAmounts
    missing: tuple[str, ...]
    """Metrics without report."""
    estimated: tuple[str, ...]
    """Metrics based on an estimate."""
    unrecognized: tuple[str, ...]
    """Sources without any metric."""


def combine_reports(given: Mapping[str, int], reports: Sequence[UsageReport], combine: str) -> UsageSummary:
    """Combine the reports: the largest amount of each metric, or the sum.

    The values of the user count as one more report.
    """
    readings = [UsageReading.from_amounts(given), *(report.reading for report in reports)]
    amounts: dict[str, int] = {}
    estimated = []
    for metric in METRICS:
        reported = [(reading.amount(metric), metric in reading.estimated) for reading in readings]
        known = [(amount, guess) for amount, guess in reported if amount is not None]
        if not known:
            continue
        total = sum(amount for amount, _ in known) if combine == "sum" else max(amount for amount, _ in known)
        amounts[metric] = max(0, total)
        if any(guess for amount, guess in known if combine == "sum" or amount == total):
            estimated.append(metric)
    return UsageSummary(
        amounts=UsageAmounts(**amounts),
        missing=tuple(metric for metric in METRICS if metric not in amounts),
        estimated=tuple(estimated),
        unrecognized=tuple(report.source for report in reports if report.reading.is_blank),
    )


def find_violations(amounts: UsageAmounts, limits: BudgetLimits) -> tuple[BudgetViolation, ...]:
    """Return the exceeded limits in the order of the metrics; a limit may be used up exactly."""
    return tuple(
        BudgetViolation(metric, used, limits.limit_for(metric))
        for metric in METRICS
        if 0 < limits.limit_for(metric) < (used := int(getattr(amounts, metric)))
    )


def unset_if_empty(names: Iterable[str]) -> tuple[str, ...] | UnsetType:
    return tuple(names) or UNSET
