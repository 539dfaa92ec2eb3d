"""What an autopilot run is told and tells: its orders, its five steps, and what each of them gave.

A run has an id, `autopilotId`. The key `runId`, wherever it occurs, is a session's: one start of one agent.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from lisa_py.core.handoff.handoff import Handoff
from lisa_py.core.lifecycle.born import SpawnSummary
from lisa_py.core.workflows.monitor_report import MonitorResult

STEPS = ("spawn", "monitor", "capture", "handoff", "cleanup")


class AutopilotOptions(Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything a run needs; a resumed run finds them in the summary of the run before."""

    goal: str
    agent: str
    mode: str
    nested_policy: str
    nesting_intent: str
    prompt: str
    model: str
    lane: str
    project_root: str
    session: str
    poll_interval: int
    max_polls: int
    capture_lines: int
    summary: bool
    summary_style: str
    token_budget: int
    kill_after: bool
    timeout_seconds: int


class SpawnStepResult(SpawnSummary, frozen=True, kw_only=True, rename="camel"):
    """The session that was started; its `runId` is the session's own."""

    objective: str | UnsetType = UNSET
    """Id of the objective that was put before the prompt."""


class CaptureStepResult(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the session's pane holds."""

    session: str
    project_root: str
    source: str
    next_offset: int
    capture: str | UnsetType = UNSET
    summary: str | UnsetType = UNSET
    summary_style: str | UnsetType = UNSET
    token_budget: int | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET
    more_before: bool | UnsetType = UNSET


class CleanupStepResult(Struct, frozen=True, kw_only=True, rename="camel"):
    """The session that was killed."""

    session: str
    ok: bool
    found: bool
    project_root: str
    processes: int
    descendants: tuple[str, ...] = ()
    errors: tuple[str, ...] | UnsetType = UNSET


StepOutput = SpawnStepResult | MonitorResult | CaptureStepResult | Handoff | CleanupStepResult | dict[str, Any]


class AutopilotStep(Struct, frozen=True, kw_only=True, rename="camel"):
    """One step and its own answer, which is there also when it failed."""

    ok: bool
    skipped: bool | UnsetType = UNSET
    """It was not reached, or not asked for."""
    resumed: bool | UnsetType = UNSET
    """It is the earlier run's."""
    elapsed_seconds: float | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    output: StepOutput | UnsetType = UNSET


SKIPPED_STEP = AutopilotStep(ok=False, skipped=True)


class StepEvent(Struct, frozen=True, kw_only=True, rename="camel"):
    """A step begins or has ended, as --stream-json tells it."""

    type: str = "step"
    autopilot_id: str
    step: str
    phase: str
    """started or finished."""
    session: str
    ok: bool | UnsetType = UNSET
    elapsed_seconds: float | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


class AutopilotRun(Struct, frozen=True, kw_only=True, rename="camel"):
    """One run; --resume-from takes it back, or the id that its log is kept under."""

    ok: bool
    """Every step is done; false also in the log of a run that is under way, or was cut off."""
    autopilot_id: str
    """Of the run: it stays the same however often the run is resumed."""
    goal: str
    agent: str
    mode: str
    nested_policy: str
    nesting_intent: str
    prompt: str
    model: str
    project_root: str
    lane: str | UnsetType = UNSET
    session: str | UnsetType = UNSET
    poll_interval: int
    max_polls: int
    capture_lines: int
    summary: bool
    summary_style: str
    token_budget: int
    timeout_seconds: int
    kill_after: bool
    elapsed_seconds: float
    spawn: AutopilotStep
    monitor: AutopilotStep
    capture: AutopilotStep
    handoff: AutopilotStep
    cleanup: AutopilotStep
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    failed_step: str | UnsetType = UNSET
    resumed_from: str | UnsetType = UNSET
    resume_step: str | UnsetType = UNSET
    """Empty: there was nothing left to do."""

    def step(self, name: str) -> AutopilotStep:
        found: AutopilotStep = getattr(self, name)
        return found

    @property
    def exit_code(self) -> int:
        """That of the step that failed."""
        if self.failed_step is UNSET:
            return 0
        code = self.step(self.failed_step).exit_code
        return 1 if code is UNSET else code
