"""Result of a loop: its cycles with the answers of their steps, the usage, and the reason for the end."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.core.advice.next_step import Advice
from lisa_py.core.handoff.diff_pack import PackDiff
from lisa_py.core.handoff.handoff import Handoff
from lisa_py.core.planning.budget import BudgetLimits, BudgetViolation, UsageAmounts
from lisa_py.core.workflows.monitor_report import MonitorResult


class LoopCycle(Answer):
    """One round; a failed one holds the steps that succeeded."""

    index: int
    elapsed_seconds: float
    waited_seconds: float | UnsetType = UNSET
    """Seconds waited for input to an idle session before the round."""
    monitor: MonitorResult | UnsetType = UNSET
    diff_pack: PackDiff | UnsetType = UNSET
    handoff: Handoff | UnsetType = UNSET
    next: Advice | UnsetType = UNSET


class MinimalCycle(Answer):
    index: int
    elapsed_seconds: float
    monitor_state: str | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET
    next_action: str | UnsetType = UNSET
    changed: bool | UnsetType = UNSET
    delta_count: int | UnsetType = UNSET


class LoopFailure(Answer):
    """Error text of the failed step."""

    step: str
    error_code: str
    exit_code: int
    exit_reason: str | UnsetType = UNSET
    output: MonitorResult | PackDiff | Handoff | Advice | dict[str, Any] | UnsetType = UNSET


class LoopResult(Answer):
    """Result of a loop."""

    ok: bool
    session: str
    project_root: str
    requested_steps: int
    completed_steps: int
    exit_reason: str
    """steps_done, a terminal state, waiting_input (no input arrived), budget, or the failed step."""
    cursor_file: str
    handoff_cursor_file: str
    observed: UsageAmounts
    estimated_metrics: tuple[str, ...] = ("tokens",)
    limits: BudgetLimits
    steps: tuple[LoopCycle, ...]
    partial: LoopCycle | UnsetType = UNSET
    violations: tuple[BudgetViolation, ...] | UnsetType = UNSET
    failed_step: str | UnsetType = UNSET
    cause: LoopFailure | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET

    @property
    def exit_code(self) -> int:
        if self.cause is not UNSET and self.cause.exit_code == 130:
            return 130
        return 0 if self.ok else 1


class MinimalLoopResult(Answer):
    """The same in short form."""

    ok: bool
    session: str
    project_root: str
    requested_steps: int
    completed_steps: int
    exit_reason: str
    cursor_file: str
    handoff_cursor_file: str
    observed: UsageAmounts
    limits: BudgetLimits
    steps: tuple[MinimalCycle, ...]
    violations: tuple[BudgetViolation, ...] | UnsetType = UNSET
    failed_step: str | UnsetType = UNSET
    cause: LoopFailure | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


def minimize_cycle(cycle: LoopCycle) -> MinimalCycle:
    monitor, diff, handoff, advice = cycle.monitor, cycle.diff_pack, cycle.handoff, cycle.next
    return MinimalCycle(
        index=cycle.index,
        elapsed_seconds=cycle.elapsed_seconds,
        monitor_state=UNSET if monitor is UNSET else monitor.final_state,
        waiting_for=UNSET if monitor is UNSET else monitor.waiting_for,
        next_action=UNSET if advice is UNSET else advice.next_action,
        changed=UNSET if diff is UNSET else diff.changed,
        delta_count=UNSET if handoff is UNSET else handoff.delta_count,
    )
