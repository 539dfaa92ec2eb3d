"""What a loop tells: its cycles, each with the answers of its four steps, what it used, and why it ended."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py.core.advice.advise import Advice
from lisa_py.core.advice.budget import Amounts, Limits, Violation
from lisa_py.core.relay.diff_pack import Diff
from lisa_py.core.relay.handoff import Handoff
from lisa_py.core.relay.monitoring import Monitored


class Cycle(Struct, frozen=True, kw_only=True, rename="camel"):
    """One round; of one that failed, the steps that answered."""

    index: int
    elapsed_seconds: float
    waited_seconds: float | UnsetType = UNSET
    """How long it first waited for somebody to tell the resting session something."""
    monitor: Monitored | UnsetType = UNSET
    diff_pack: Diff | UnsetType = UNSET
    handoff: Handoff | UnsetType = UNSET
    next: Advice | UnsetType = UNSET


class SmallCycle(Struct, frozen=True, kw_only=True, rename="camel"):
    index: int
    elapsed_seconds: float
    monitor_state: str | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET
    next_action: str | UnsetType = UNSET
    changed: bool | UnsetType = UNSET
    delta_count: int | UnsetType = UNSET


class Cause(Struct, frozen=True, kw_only=True, rename="camel"):
    """The failed step's own words."""

    step: str
    error_code: str
    exit_code: int
    exit_reason: str | UnsetType = UNSET
    output: Monitored | Diff | Handoff | Advice | dict[str, Any] | UnsetType = UNSET


class Looped(Struct, frozen=True, kw_only=True, rename="camel"):
    """One loop."""

    ok: bool
    session: str
    project_root: str
    requested_steps: int
    completed_steps: int
    exit_reason: str
    """steps_done, a terminal state, waiting_input (nobody told it anything), budget, or the step that failed."""
    cursor_file: str
    handoff_cursor_file: str
    observed: Amounts
    estimated_metrics: tuple[str, ...] = ("tokens",)
    limits: Limits
    steps: tuple[Cycle, ...]
    partial: Cycle | UnsetType = UNSET
    violations: tuple[Violation, ...] | UnsetType = UNSET
    failed_step: str | UnsetType = UNSET
    cause: Cause | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET

    @property
    def exit_code(self) -> int:
        if self.cause is not UNSET and self.cause.exit_code == 130:
            return 130
        return 0 if self.ok else 1


class SmallLooped(Struct, frozen=True, kw_only=True, rename="camel"):
    """The same in few words."""

    ok: bool
    session: str
    project_root: str
    requested_steps: int
    completed_steps: int
    exit_reason: str
    cursor_file: str
    handoff_cursor_file: str
    observed: Amounts
    limits: Limits
    steps: tuple[SmallCycle, ...]
    violations: tuple[Violation, ...] | UnsetType = UNSET
    failed_step: str | UnsetType = UNSET
    cause: Cause | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


def small(cycle: Cycle) -> SmallCycle:
    seen, news, baton, step = cycle.monitor, cycle.diff_pack, cycle.handoff, cycle.next
    return SmallCycle(
        index=cycle.index,
        elapsed_seconds=cycle.elapsed_seconds,
        monitor_state=UNSET if seen is UNSET else seen.final_state,
        waiting_for=UNSET if seen is UNSET else seen.waiting_for,
        next_action=UNSET if step is UNSET else step.next_action,
        changed=UNSET if news is UNSET else news.changed,
        delta_count=UNSET if baton is UNSET else baton.delta_count,
    )
