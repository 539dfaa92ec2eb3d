"""Run a job from spawn to handoff in one call, or resume an interrupted run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from lisa_py.contract.errors import LisaError
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.handoff import handoff
from lisa_py.core.handoff.handoff import Handoff, HandoffRequest
from lisa_py.core.lifecycle import kill, launch, names, spawn
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.lifecycle.spawn_result import SpawnResult
from lisa_py.core.output.capture import capture_session
from lisa_py.core.output.capture_request import CaptureRequest
from lisa_py.core.output.events import EventReader
from lisa_py.core.wait.stop_rules import StopRules
from lisa_py.core.workflows import autopilot_log, monitor_report
from lisa_py.core.workflows.autopilot_log import AutopilotLog
from lisa_py.core.workflows.autopilot_resume import PreviousRun
from lisa_py.core.workflows.autopilot_steps import (
    SKIPPED_STEP,
    STEPS,
    AutopilotOptions,
    AutopilotRun,
    AutopilotStep,
    CaptureStepResult,
    CleanupStepResult,
    SpawnStepResult,
    StepEvent,
    StepOutput,
)
from lisa_py.core.workflows.monitor_report import MonitorResult, ReportOptions
from lisa_py.store.paths import SessionRef

_LANE_FIELDS = frozenset(("agent", "mode", "nested_policy", "nesting_intent", "prompt", "model"))
"""All values are decided before the spawn; the lane only supplies its name and contract."""


class AutopilotStepError(Exception):
    """A step whose answer reports a failure."""

    def __init__(self, code: str, message: str, exit_code: int, output: StepOutput) -> None:
        super().__init__(message)
        self.code, self.exit_code, self.output = code, exit_code, output


def run(
    ctx: Context, options: AutopilotOptions, earlier: PreviousRun | None = None, *, stream: bool = False
) -> AutopilotRun:
    """Run the steps and return the summary, failures included. After a failed monitor the output is still read.

    Raise LisaError(autopilot_run_busy).
    """
    with autopilot_log.open_log(ctx, ctx.project(options.project_root), earlier) as log, ctx.cancellation.observe():
        return _AutopilotRunner(ctx, options, earlier, stream, log).run()


class _AutopilotRunner:
    def __init__(
        self, ctx: Context, options: AutopilotOptions, earlier: PreviousRun | None, stream: bool, log: AutopilotLog
    ) -> None:
        self._ctx, self._options, self._earlier, self._stream = ctx, options, earlier, stream
        self._log, self._id = log, log.run.id
        self._session = options.session
        self._began = ctx.clock.monotonic()
        self._steps: dict[str, AutopilotStep] = dict.fromkeys(STEPS, SKIPPED_STEP)
        self._failed = ""

    def run(self) -> AutopilotRun:
        begin = self._earlier.step if self._earlier else STEPS[0]
        if self._earlier:
            done = STEPS[: STEPS.index(begin)] if begin else STEPS
            self._steps |= {name: self._earlier.steps[name] for name in done if self._earlier.steps[name].ok}
        self._save_progress()
        for name in STEPS[STEPS.index(begin) :] if begin else ():
            if name == "cleanup" and not self._options.kill_after:
                continue
            step = self._run_step(name)
            if step.ok:
                continue
            if name == "monitor" and step.exit_code != 130:
                self._run_step("capture")
            break
        return self._save_progress(finished=True)

    def _run_step(self, name: str) -> AutopilotStep:
        """Run one step and write the log; the first failure is the step the run failed at."""
        step = self._steps[name] = self._time_step(name)
        if not step.ok:
            self._failed = self._failed or name
        self._save_progress()
        return step

    def _time_step(self, name: str) -> AutopilotStep:
        """Run one step and time it; return its error instead of raising it."""
        actions: dict[str, Callable[[], StepOutput]] = {
            "spawn": self._spawn,
            "monitor": self._monitor,
            "capture": self._capture,
            "handoff": self._handoff,
            "cleanup": self._cleanup,
        }
        self._report_progress(StepEvent(autopilot_id=self._id, step=name, phase="started", session=self._session))
        began = self._ctx.clock.monotonic()
        step = self._call_step(actions[name])
        step = msgspec.structs.replace(step, elapsed_seconds=round(self._ctx.clock.monotonic() - began, 3))
        self._report_progress(
            StepEvent(
                autopilot_id=self._id,
                step=name,
                phase="finished",
                session=self._session,
                ok=step.ok,
                elapsed_seconds=step.elapsed_seconds,
                error_code=step.error_code,
            )
        )
        return step

    def _call_step(self, action: Callable[[], StepOutput]) -> AutopilotStep:
        if self._ctx.cancellation.is_set:
            return AutopilotStep(
                ok=False, exit_code=130, error_code="interrupted", error="interrupted; the session keeps running"
            )
        try:
            return AutopilotStep(ok=True, output=action())
        except AutopilotStepError as problem:
            return AutopilotStep(
                ok=False,
                exit_code=problem.exit_code,
                error_code=problem.code,
                error=str(problem),
                output=problem.output,
            )
        except LisaError as problem:
            return AutopilotStep(
                ok=False,
                exit_code=problem.exit_code,
                error_code=problem.code,
                error=problem.message,
                output=problem.details or UNSET,
            )

    def _report_progress(self, event: StepEvent) -> None:
        if self._stream:
            self._ctx.emit(event)
        elif event.phase == "started":
            self._ctx.progress(f"autopilot {self._id}: {event.step} {event.session}")
        else:
            self._ctx.progress("")

    # -- the steps --------------------------------------------------------------------------------------------

    def _spawn(self) -> SpawnStepResult:
        """Spawn under a name written to the log first, so that a resumed run never starts a second session."""
        options = self._options
        self._session = options.session or names.generate_name(
            self._ctx, self._log.project, options.agent, options.mode
        )
        self._save_progress()
        try:
            spawned = self._spawn_session(self._session)
        except BaseException:
            self._session = options.session
            raise
        return copy_fields(spawned, SpawnStepResult, objective=spawned.objective.id if spawned.objective else UNSET)

    def _spawn_session(self, session: str) -> SpawnResult:
        options = self._options
        request = SpawnRequest(
            launch=launch.LaunchRequest(
                agent=options.agent,
                mode=options.mode,
                prompt=options.prompt,
                model=options.model,
                nested_policy=options.nested_policy,
                nesting_intent=options.nesting_intent,
            ),
            session=session,
            project_root=options.project_root,
            lane=options.lane,
            given=_LANE_FIELDS,
        )
        return spawn.spawn_session(self._ctx, request)

    def _monitor(self) -> MonitorResult:
        options = self._options
        interactive = options.mode == "interactive"
        rules = StopRules(
            poll_interval=options.poll_interval,
            max_polls=options.max_polls,
            timeout_seconds=self._remaining_seconds(),
            stop_on_waiting=interactive,
            expect="any" if interactive else "terminal",
        )
        outputs = ReportOptions(stream=self._stream, on_limit=options.on_limit)
        found = monitor_report.monitor_and_report(self._ctx, self._ref(), rules, outputs)
        if found.error_code is not UNSET:
            raise AutopilotStepError(
                found.error_code, f"the session is {found.final_state} ({found.exit_reason})", 2, found
            )
        waiting_for = "" if found.waiting_for is UNSET else found.waiting_for
        if waiting_for in ("error", "limit"):
            kind = "" if found.error_kind is UNSET else f": {found.error_kind}"
            raise AutopilotStepError("agent_error", f"the agent's turn ended in an error{kind}", 2, found)
        if waiting_for not in ("", "prompt"):
            raise AutopilotStepError(
                "agent_asks",
                f"the agent waits ({waiting_for}): answer it, then use --resume-from",
                2,
                found,
            )
        return found

    def _remaining_seconds(self) -> float:
        """Return the seconds until the deadline, or 0 without one. Raise LisaError(autopilot_timeout)."""
        if not self._options.timeout_seconds:
            return 0
        remaining = self._options.timeout_seconds - (self._ctx.clock.monotonic() - self._began)
        if remaining <= 0:
            raise LisaError("autopilot_timeout", f"timed out after {self._options.timeout_seconds} s", exit_code=2)
        return remaining

    def _capture(self) -> CaptureStepResult:
        options, ref = self._options, self._ref()
        request = CaptureRequest(
            source="pane",
            lines=options.capture_lines,
            limited=True,
            summary=options.summary_style if options.summary else "",
            token_budget=options.token_budget,
        )
        taken = capture_session(self._ctx, ref, request)
        short = taken.summary
        return CaptureStepResult(
            session=ref.session,
            project_root=ref.project.root,
            source=taken.source,
            next_offset=taken.progress.next,
            capture=UNSET if short else taken.text,
            summary=short.text if short else UNSET,
            summary_style=short.style if short else UNSET,
            token_budget=short.budget if short else UNSET,
            truncated=short.truncated if short else UNSET,
            more_before=taken.truncated or UNSET,
        )

    def _handoff(self) -> Handoff:
        """Read the handoff in the schema that the lane of the session requires."""
        for schema in handoff.SCHEMAS:
            try:
                reader = EventReader(self._ctx, None, "")
                found = handoff.build(self._ctx, self._ref(), HandoffRequest(schema=schema), reader)
            except LisaError as problem:
                if problem.code != "handoff_schema_v2_required" or schema == handoff.SCHEMAS[-1]:
                    raise
                continue
            break
        if found.error_code is not UNSET:
            raise AutopilotStepError(
                found.error_code, f"the session is {found.session_state} ({found.reason})", 1, found
            )
        return found

    def _cleanup(self) -> CleanupStepResult:
        ref = self._ref()
        killed = kill.kill_session(self._ctx, ref)
        found = copy_fields(
            killed,
            CleanupStepResult,
            ok=not killed.errors,
            processes=killed.processes or 0,
            descendants=killed.descendants or (),
            errors=killed.errors or UNSET,
        )
        if killed.errors:
            raise AutopilotStepError("session_kill_failed", "; ".join(killed.errors), 1, found)
        return found

    def _ref(self) -> SessionRef:
        return self._ctx.ref(self._session, self._options.project_root)

    # -- reporting --------------------------------------------------------------------------------------------

    def _save_progress(self, *, finished: bool = False) -> AutopilotRun:
        """Return the current summary, as written to the log."""
        values: dict[str, Any] = msgspec.structs.asdict(self._options)
        values |= {"session": self._session or UNSET, "lane": self._options.lane or UNSET}
        values |= {"on_limit": self._options.on_limit or UNSET, **self._steps}
        failed, earlier = self._failed, self._earlier
        summary = AutopilotRun(
            **values,
            ok=finished and not failed,
            autopilot_id=self._id,
            elapsed_seconds=round(self._ctx.clock.monotonic() - self._began, 3),
            error_code=f"autopilot_{failed}_failed" if failed else UNSET,
            error=self._steps[failed].error if failed else UNSET,
            failed_step=failed or UNSET,
            resumed_from=earlier.source if earlier else UNSET,
            resume_step=earlier.step if earlier else UNSET,
        )
        self._log.write(summary)
        return summary
