"""Watch a session in rounds: monitor, new output, handoff, next step; within a budget, in one process."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
from msgspec import UNSET, Struct

from lisa_py.contract import flags
from lisa_py.contract.command import Flag
from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.contract.projection import copy_fields
from lisa_py.contract.status import SESSION_STATES, TERMINAL_STATES
from lisa_py.core.advice import target
from lisa_py.core.advice.next_step import Advice, advise
from lisa_py.core.context import Context
from lisa_py.core.handoff import diff_pack, handoff
from lisa_py.core.handoff.diff_pack import DiffRequest, PackDiff
from lisa_py.core.handoff.handoff import Handoff, HandoffRequest
from lisa_py.core.output import token_budget
from lisa_py.core.output.events import EventReader
from lisa_py.core.planning import budget
from lisa_py.core.planning.budget import BudgetLimits, BudgetViolation, UsageAmounts
from lisa_py.core.planning.usage_metrics import METRICS
from lisa_py.core.redact.redactor import Mask
from lisa_py.core.status import status_reader
from lisa_py.core.wait import wait_many
from lisa_py.core.wait.stop_rules import StopRules
from lisa_py.core.wait.wait_many import WaitCondition
from lisa_py.core.workflows import monitor_report
from lisa_py.core.workflows.loop_result import LoopCycle, LoopFailure, LoopResult, minimize_cycle
from lisa_py.core.workflows.monitor_report import MonitorResult, ReportOptions
from lisa_py.store import cursors, session_folder
from lisa_py.store.paths import SessionRef

ERROR_CODES = {name: f"loop_{name.replace('-', '_')}_failed" for name in ("monitor", "diff-pack", "handoff", "next")}


class LoopOptions(Struct, frozen=True, kw_only=True):
    """Options of a loop; they are its flags."""

    session: flags.Session
    project_root: flags.ProjectRoot = ""
    poll_interval: flags.PollInterval = 2
    max_polls: flags.MaxPolls = 40
    strategy: flags.Strategy = "balanced"
    events: flags.Events = 8
    lines: flags.Lines = 120
    token_budget: flags.TokenBudget = 700
    cursor_file: Annotated[
        str, Flag(help="file with the last pack; default: in the session folder", metavar="PATH")
    ] = ""
    handoff_cursor_file: Annotated[
        str,
        Flag(help="file with the last event; default: in the session folder", metavar="PATH"),
    ] = ""
    cursor_reset: flags.CursorReset = False
    schema: Annotated[
        str,
        Flag(
            help="schema of the handoff",
            choices=handoff.SCHEMAS,
            aliases={"": "v2", **{name.removeprefix("v"): name for name in handoff.SCHEMAS}},
        ),
    ] = "v2"
    steps: Annotated[int, Flag(help="number of rounds", minimum=1)] = 1
    max_tokens: Annotated[int, Flag(help="maximum tokens of the answer", minimum=1)] = 0
    max_seconds: Annotated[int, Flag(help="maximum seconds of the loop", minimum=1)] = 0
    on_limit: flags.OnLimit = ""
    max_steps: Annotated[int, Flag(help="maximum rounds of the loop", minimum=1)] = 0

    @property
    def limits(self) -> BudgetLimits:
        return copy_fields(self, BudgetLimits)


class _LoopStop(Exception):
    """A step that failed."""

    def __init__(self, cause: LoopFailure, message: str) -> None:
        super().__init__(message)
        self.cause = cause


def run_loop(ctx: Context, ref: SessionRef, options: LoopOptions) -> LoopResult:
    """Run the rounds and return the result, failures included.

    Raise LisaError(invalid_cursor_file | semantic_cursor_read_failed) before the first round.
    """
    ctx.commit_immediately()  # each round continues where the previous one stopped
    with ctx.cancellation.observe():
        return _LoopRunner(ctx, ref, options).run()


class _LoopRunner:
    def __init__(self, ctx: Context, ref: SessionRef, options: LoopOptions) -> None:
        self._ctx, self._ref, self._options = ctx, ref, options
        if not (options.cursor_file and options.handoff_cursor_file):
            session_folder.check_not_symlink(ref)
        self._pack_cursor = cursors.resolve_path(options.cursor_file or f"{ref.folder}/loop-pack.cursor")
        self._handoff_cursor = cursors.resolve_path(options.handoff_cursor_file or f"{ref.folder}/loop-handoff.cursor")
        packs = self._baseline(reset=options.cursor_reset)
        events = EventReader(ctx, None, self._handoff_cursor, reset=options.cursor_reset)
        if packs.recovered or events.recovered:
            ctx.warn("loop warning: a cursor file could not be read and was set aside; all events are reported again")
        self._began = ctx.clock.monotonic()
        self._cycles: list[LoopCycle] = []
        self._cycle = LoopCycle(index=1, elapsed_seconds=0)
        self._tokens = 0
        self._state = ""
        self._mark = ""

    def run(self) -> LoopResult:
        for index in range(1, self._options.steps + 1):
            began = self._ctx.clock.monotonic()
            self._cycle = LoopCycle(index=index, elapsed_seconds=0)
            try:
                if self._is_over(began):
                    return self._build_result(self._state)
                self._run_cycle()
            except _LoopStop as problem:
                self._record_elapsed(began)
                return self._build_failure(problem)
            self._record_elapsed(began)
            self._cycles.append(self._cycle)
            self._tokens += _count_tokens(self._cycle, self._ctx.output_format)
            violations = self._find_violations(last=index == self._options.steps)
            if violations:
                return self._build_budget_failure(violations)
        return self._build_result("steps_done")

    def _record_elapsed(self, began: float) -> None:
        self._cycle = msgspec.structs.replace(
            self._cycle, elapsed_seconds=round(self._ctx.clock.monotonic() - began, 3)
        )

    # -- a round ----------------------------------------------------------------------------------------------

    def _is_over(self, began: float) -> bool:
        """Wait until the next round makes sense; return True if the session has ended or stays idle.

        An idle session is not polled: the next round begins when it receives input.
        """
        if self._state in TERMINAL_STATES:
            return True
        if self._state != "waiting_input":
            return False
        wait_seconds = float(self._options.poll_interval * self._options.max_polls)
        wanted = WaitCondition(
            states=SESSION_STATES,
            changed=True,
            timeout_seconds=min(wait_seconds, self._remaining_seconds() or wait_seconds),
        )
        key = wait_many.session_key(self._ref)
        try:
            found = wait_many.wait(self._ctx, [self._ref], wanted, baseline={key: self._mark})
        except CancellationError:
            raise self._build_interrupt() from None
        waited = round(self._ctx.clock.monotonic() - began, 3)
        self._cycle = msgspec.structs.replace(self._cycle, waited_seconds=waited)
        if found.timed_out and self._is_limit_reached():
            raise _LoopStop(LoopFailure(step="budget", error_code="budget_limit_exceeded", exit_code=1), "")
        return found.timed_out

    def _run_cycle(self) -> None:
        steps = (
            ("monitor", "monitor", self._monitor),
            ("diff-pack", "diff_pack", self._diff),
            ("handoff", "handoff", self._handoff),
            ("next", "next", self._next),
        )
        for name, field, action in steps:
            if self._ctx.cancellation.is_set:
                raise self._build_interrupt()
            try:
                result = action()
            except LisaError as problem:
                cause = LoopFailure(
                    step=name,
                    error_code=problem.code,
                    exit_code=problem.exit_code,
                    output=problem.details or UNSET,
                )
                raise _LoopStop(cause, problem.message) from problem
            self._cycle = msgspec.structs.replace(self._cycle, **{field: result})

    def _build_interrupt(self) -> _LoopStop:
        return _LoopStop(
            LoopFailure(step="monitor", error_code="interrupted", exit_code=130),
            "interrupted; the session keeps running",
        )

    def _monitor(self) -> MonitorResult:
        rules = StopRules(
            poll_interval=self._options.poll_interval,
            max_polls=self._options.max_polls,
            timeout_seconds=self._remaining_seconds(),
        )
        found = monitor_report.monitor_and_report(
            self._ctx, self._ref, rules, ReportOptions(on_limit=self._options.on_limit)
        )
        if found.error_code is not UNSET:
            step = "budget" if found.error_code == "monitor_timeout" and self._is_limit_reached() else "monitor"
            cause = LoopFailure(
                step=step, error_code=found.error_code, exit_code=2, exit_reason=found.exit_reason, output=found
            )
            raise _LoopStop(cause, f"the session is {found.final_state} ({found.exit_reason})")
        evidence, status = status_reader.read_with_evidence(self._ctx, self._ref)
        self._state, self._mark = status.session_state, wait_many.status_mark(evidence, status)
        return found

    def _diff(self) -> PackDiff:
        options, known = self._options, self._baseline()
        wanted = DiffRequest(
            strategy=options.strategy,
            events=options.events,
            lines=options.lines,
            token_budget=options.token_budget,
            semantic_only=True,
        )
        made = diff_pack.build_diff(self._ctx, self._ref, wanted, known, Mask(""))
        self._require_success("diff-pack", made.diff.error_code, made.diff)
        diff_pack.save(self._ctx, known, made.text, made.semantic_lines)
        return made.diff

    def _baseline(self, *, reset: bool = False) -> diff_pack.PackBaseline:
        return diff_pack.read_baseline(self._ctx, self._ref, self._pack_cursor, semantic_only=True, reset=reset)

    def _handoff(self) -> Handoff:
        reader = EventReader(self._ctx, None, self._handoff_cursor)
        wanted = HandoffRequest(schema=self._options.schema, events=self._options.events)
        found = handoff.build(self._ctx, self._ref, wanted, reader)
        self._require_success("handoff", found.error_code, found)
        return found

    def _next(self) -> Advice:
        status = status_reader.normalise_status(status_reader.read_status(self._ctx, self._ref))
        found = advise(target.build_target(self._ctx, self._ref), status, self._options.token_budget)
        missing = "session_not_found" if status.session_state == "not_found" else UNSET
        self._require_success("next", missing, found)
        return found

    def _require_success(self, step: str, code: object, output: PackDiff | Handoff | Advice) -> None:
        if isinstance(code, str):
            raise _LoopStop(
                LoopFailure(step=step, error_code=code, exit_code=1, output=output),
                f"the session is {output.session_state}",
            )

    # -- the budget -------------------------------------------------------------------------------------------

    def _amounts(self) -> UsageAmounts:
        seconds = math.ceil(self._ctx.clock.monotonic() - self._began)
        return UsageAmounts(tokens=self._tokens, seconds=seconds, steps=len(self._cycles))

    def _remaining_seconds(self) -> float:
        """Return the remaining seconds, or 0 without a limit."""
        if not self._options.limits.max_seconds:
            return 0
        return max(0.001, self._options.limits.max_seconds - (self._ctx.clock.monotonic() - self._began))

    def _is_limit_reached(self) -> bool:
        limit = self._options.limits.max_seconds
        return bool(limit) and self._ctx.clock.monotonic() - self._began >= limit

    def _find_violations(self, *, last: bool) -> tuple[BudgetViolation, ...]:
        """Return the exceeded limits; before another round also those that are used up."""
        amounts, limits = self._amounts(), self._options.limits
        if last:
            return budget.find_violations(amounts, limits)
        return tuple(
            BudgetViolation(metric, used, limits.limit_for(metric))
            for metric in METRICS
            if 0 < limits.limit_for(metric) <= (used := int(getattr(amounts, metric)))
        )

    # -- reporting --------------------------------------------------------------------------------------------

    def _build_result(self, reason: str, **changes: object) -> LoopResult:
        result = LoopResult(
            ok=True,
            session=self._ref.session,
            project_root=self._ref.project.root,
            requested_steps=self._options.steps,
            completed_steps=len(self._cycles),
            exit_reason=reason,
            cursor_file=self._pack_cursor,
            handoff_cursor_file=self._handoff_cursor,
            observed=self._amounts(),
            limits=self._options.limits,
            steps=tuple(self._cycles),
        )
        return msgspec.structs.replace(result, **changes)

    def _build_budget_failure(self, violations: tuple[BudgetViolation, ...]) -> LoopResult:
        return self._build_result(
            "budget",
            ok=False,
            violations=violations,
            failed_step="budget",
            error_code="budget_limit_exceeded",
            error="loop budget limit reached",
        )

    def _build_failure(self, problem: _LoopStop) -> LoopResult:
        cause = problem.cause
        if cause.step == "budget":
            found = self._build_budget_failure(self._find_violations(last=False))
            return msgspec.structs.replace(found, partial=self._cycle)
        return self._build_result(
            cause.step,
            ok=False,
            partial=self._cycle,
            failed_step=cause.step,
            cause=cause,
            error_code=ERROR_CODES[cause.step],
            error=str(problem),
        )


def _count_tokens(cycle: LoopCycle, form: str) -> int:
    """Estimate the tokens of the output of this round."""
    raw = msgspec.json.encode(cycle if form == "json" else minimize_cycle(cycle))
    return token_budget.count_tokens(raw)
