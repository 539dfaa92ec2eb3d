"""Options, steps and results of an autopilot run.

A run has an id, `autopilotId`. The key `runId` always belongs to a session: one start of one agent.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.core.handoff.handoff import Handoff
from lisa_py.core.lifecycle.spawn_result import SpawnSummary
from lisa_py.core.workflows.monitor_report import MonitorResult

STEPS = ("spawn", "monitor", "capture", "handoff", "cleanup")


class AutopilotOptions(Answer):
    """Options of a run; a resumed run reads them from the earlier summary."""

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
    on_limit: str


class SpawnStepResult(SpawnSummary):
    """The spawned session; its `runId` belongs to the session."""

    objective: str | UnsetType = UNSET
    """Id of the objective that was put before the prompt."""


class CaptureStepResult(Answer):
    """Content of the pane."""

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


class CleanupStepResult(Answer):
    """The killed session."""

    session: str
    ok: bool
    found: bool
    project_root: str
    processes: int
    descendants: tuple[str, ...] = ()
    errors: tuple[str, ...] | UnsetType = UNSET


StepOutput = SpawnStepResult | MonitorResult | CaptureStepResult | Handoff | CleanupStepResult | dict[str, Any]


class AutopilotStep(Answer):
    """One step with its answer, which is present also if the step failed."""

    ok: bool
    skipped: bool | UnsetType = UNSET
    """The step was not reached, or not requested."""
    resumed: bool | UnsetType = UNSET
    """The step was done by the earlier run."""
    elapsed_seconds: float | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    output: StepOutput | UnsetType = UNSET


SKIPPED_STEP = AutopilotStep(ok=False, skipped=True)


class StepEvent(Answer):
    """Start or end of a step in --stream-json."""

    type: str = "step"
    autopilot_id: str
    step: str
    phase: str
    """started or finished."""
    session: str
    ok: bool | UnsetType = UNSET
    elapsed_seconds: float | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


class AutopilotRun(Answer):
    """One run; --resume-from reads it, or the log of its id."""

    ok: bool
    """Every step is done; false in the log of a run in progress, too."""
    autopilot_id: str
    """Id of the run; it does not change when the run is resumed."""
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
    on_limit: str | UnsetType = UNSET
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
    """Empty: no step was left."""

    def step(self, name: str) -> AutopilotStep:
        found: AutopilotStep = getattr(self, name)
        return found

    @property
    def exit_code(self) -> int:
        """Code of the failed step."""
        if self.failed_step is UNSET:
            return 0
        code = self.step(self.failed_step).exit_code
        return 1 if code is UNSET else code
