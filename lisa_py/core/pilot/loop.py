"""Watches a session round by round: monitor, what is new, handoff, next step; within a budget, in one process."""

from __future__ import annotations

import math

import msgspec
from msgspec import UNSET, Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import SESSION_STATES, TERMINAL_STATES
from lisa_py.core.advice import budget
from lisa_py.core.advice.advise import Advice, advise
from lisa_py.core.advice.budget import Amounts, Limits, Violation
from lisa_py.core.advice.metrics import METRICS
from lisa_py.core.context import Context
from lisa_py.core.pilot.loop_report import Cause, Cycle, Looped, small
from lisa_py.core.relay import diff_pack, handoff, monitoring
from lisa_py.core.relay.diff_pack import Diff, DiffRequest
from lisa_py.core.relay.handoff import Handoff, HandoffRequest
from lisa_py.core.relay.masking import Mask
from lisa_py.core.relay.monitoring import Monitored, Reporting
from lisa_py.core.relay.recent import EventReader
from lisa_py.core.watch import look, wait_many
from lisa_py.core.watch.rules import Rules
from lisa_py.core.watch.wait_many import Wanted
from lisa_py.store import cursors, folder
from lisa_py.store.places import Place

BYTES_PER_TOKEN = 4
CODES = {name: f"loop_{name.replace('-', '_')}_failed" for name in ("monitor", "diff-pack", "handoff", "next")}


class LoopRequest(Struct, frozen=True, kw_only=True):
    """How many rounds of what, within which limits."""

    steps: int
    limits: Limits
    poll_interval: int
    max_polls: int
    strategy: str
    events: int
    lines: int
    token_budget: int
    schema: str
    cursor_file: str = ""
    handoff_cursor_file: str = ""
    cursor_reset: bool = False


class _Stopped(Exception):
    """A step did not do what it should."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


def loop(ctx: Context, place: Place, request: LoopRequest) -> Looped:
    """Do the rounds; what goes wrong is in the answer.

    Raises LisaError(invalid_cursor_file | semantic_cursor_read_failed) before the first round.
    """
    ctx.at_once()  # each round goes on where the one before it stopped
    return _Loop(ctx, place, request).run()


class _Loop:
    def __init__(self, ctx: Context, place: Place, request: LoopRequest) -> None:
        self._ctx, self._place, self._request = ctx, place, request
        if not (request.cursor_file and request.handoff_cursor_file):
            folder.must_be_ours(place)
        self._pack_cursor = cursors.located(request.cursor_file or f"{place.folder}/loop-pack.cursor")
        self._baton_cursor = cursors.located(request.handoff_cursor_file or f"{place.folder}/loop-handoff.cursor")
        packs = self._baseline(reset=request.cursor_reset)
        events = EventReader(ctx, None, self._baton_cursor, reset=request.cursor_reset)
        if packs.recovered or events.recovered:
            ctx.warn("loop warning: a cursor file could not be read and was set aside; all in it is news again")
        self._began = ctx.clock.monotonic()
        self._cycles: list[Cycle] = []
        self._cycle = Cycle(index=1, elapsed_seconds=0)
        self._tokens = 0
        self._state = ""
        self._mark = ""

    def run(self) -> Looped:
        for index in range(1, self._request.steps + 1):
            began = self._ctx.clock.monotonic()
            self._cycle = Cycle(index=index, elapsed_seconds=0)
            try:
                if self._is_over(began):
                    return self._told(self._state)
                self._round()
            except _Stopped as problem:
                self._finish(began)
                return self._failed(problem)
            self._finish(began)
            self._cycles.append(self._cycle)
            self._tokens += _size(self._cycle, self._ctx.form)
            broken = self._violations(last=index == self._request.steps)
            if broken:
                return self._over_budget(broken)
        return self._told("steps_done")

    def _finish(self, began: float) -> None:
        self._cycle = msgspec.structs.replace(
            self._cycle, elapsed_seconds=round(self._ctx.clock.monotonic() - began, 3)
        )

    # -- a round ----------------------------------------------------------------------------------------------

    def _is_over(self, began: float) -> bool:
        """Nothing more can come of it: it has ended, or it rests and nobody tells it anything for as long as it takes.

        A session that waits for input is not looked at again and again: the next round begins when it was told.
        """
        if self._state in TERMINAL_STATES:
            return True
        if self._state != "waiting_input":
            return False
        patience = float(self._request.poll_interval * self._request.max_polls)
        wanted = Wanted(states=SESSION_STATES, changed=True, timeout_seconds=min(patience, self._left() or patience))
        key = wait_many.key_of(self._place)
        try:
            found = wait_many.wait(self._ctx, [self._place], wanted, baseline={key: self._mark})
        except KeyboardInterrupt:
            raise self._interrupted() from None
        waited = round(self._ctx.clock.monotonic() - began, 3)
        self._cycle = msgspec.structs.replace(self._cycle, waited_seconds=waited)
        if found.timed_out and self._limit_is_reached():
            raise _Stopped(Cause(step="budget", error_code="budget_limit_exceeded", exit_code=1), "")
        return found.timed_out

    def _round(self) -> None:
        steps = (
            ("monitor", "monitor", self._monitor),
            ("diff-pack", "diff_pack", self._diff),
            ("handoff", "handoff", self._handoff),
            ("next", "next", self._next),
        )
        for name, field, act in steps:
            try:
                answer = act()
            except LisaError as problem:
                cause = Cause(
                    step=name,
                    error_code=problem.code,
                    exit_code=problem.exit_code,
                    output=problem.details or UNSET,
                )
                raise _Stopped(cause, problem.message) from problem
            except KeyboardInterrupt:
                raise self._interrupted() from None
            self._cycle = msgspec.structs.replace(self._cycle, **{field: answer})

    def _interrupted(self) -> _Stopped:
        return _Stopped(
            Cause(step="monitor", error_code="interrupted", exit_code=130), "interrupted; the session goes on"
        )

    def _monitor(self) -> Monitored:
        rules = Rules(
            poll_interval=self._request.poll_interval,
            max_polls=self._request.max_polls,
            timeout_seconds=self._left(),
        )
        found = monitoring.run(self._ctx, self._place, rules, Reporting())
        if found.error_code is not UNSET:
            step = "budget" if found.error_code == "monitor_timeout" and self._limit_is_reached() else "monitor"
            cause = Cause(
                step=step, error_code=found.error_code, exit_code=2, exit_reason=found.exit_reason, output=found
            )
            raise _Stopped(cause, f"the session is {found.final_state} ({found.exit_reason})")
        evidence, status = look.look(self._ctx, self._place)
        self._state, self._mark = status.session_state, wait_many.mark_of(evidence, status)
        return found

    def _diff(self) -> Diff:
        request, known = self._request, self._baseline()
        wanted = DiffRequest(
            strategy=request.strategy,
            events=request.events,
            lines=request.lines,
            token_budget=request.token_budget,
            semantic_only=True,
        )
        made = diff_pack.make(self._ctx, self._place, wanted, known, Mask(""))
        self._must_be_fine("diff-pack", made.diff.error_code, made.diff)
        diff_pack.save(self._ctx, known, made.text, made.meaning)
        return made.diff

    def _baseline(self, *, reset: bool = False) -> diff_pack.Baseline:
        return diff_pack.baseline(self._ctx, self._place, self._pack_cursor, semantic_only=True, reset=reset)

    def _handoff(self) -> Handoff:
        reader = EventReader(self._ctx, None, self._baton_cursor)
        wanted = HandoffRequest(schema=self._request.schema, events=self._request.events)
        found = handoff.build(self._ctx, self._place, wanted, reader)
        self._must_be_fine("handoff", found.error_code, found)
        return found

    def _next(self) -> Advice:
        status = look.shown(look.status(self._ctx, self._place))
        found = advise(self._ctx, self._place, status, self._request.token_budget)
        missing = "session_not_found" if status.session_state == "not_found" else UNSET
        self._must_be_fine("next", missing, found)
        return found

    def _must_be_fine(self, step: str, code: object, output: Diff | Handoff | Advice) -> None:
        if isinstance(code, str):
            raise _Stopped(
                Cause(step=step, error_code=code, exit_code=1, output=output), f"the session is {output.session_state}"
            )

    # -- the budget -------------------------------------------------------------------------------------------

    def _amounts(self) -> Amounts:
        seconds = math.ceil(self._ctx.clock.monotonic() - self._began)
        return Amounts(tokens=self._tokens, seconds=seconds, steps=len(self._cycles))

    def _left(self) -> float:
        """Seconds the loop may still take; 0: there is no limit."""
        if not self._request.limits.max_seconds:
            return 0
        return max(0.001, self._request.limits.max_seconds - (self._ctx.clock.monotonic() - self._began))

    def _limit_is_reached(self) -> bool:
        limit = self._request.limits.max_seconds
        return bool(limit) and self._ctx.clock.monotonic() - self._began >= limit

    def _violations(self, *, last: bool) -> tuple[Violation, ...]:
        """Limits that are exceeded; before another round also those that are used up."""
        amounts, limits = self._amounts(), self._request.limits
        if last:
            return budget.violations(amounts, limits)
        return tuple(
            Violation(metric, used, limits.of(metric))
            for metric in METRICS
            if 0 < limits.of(metric) <= (used := int(getattr(amounts, metric)))
        )

    # -- telling ----------------------------------------------------------------------------------------------

    def _told(self, reason: str, **more: object) -> Looped:
        plain = Looped(
            ok=True,
            session=self._place.session,
            project_root=self._place.project.root,
            requested_steps=self._request.steps,
            completed_steps=len(self._cycles),
            exit_reason=reason,
            cursor_file=self._pack_cursor,
            handoff_cursor_file=self._baton_cursor,
            observed=self._amounts(),
            limits=self._request.limits,
            steps=tuple(self._cycles),
        )
        return msgspec.structs.replace(plain, **more)

    def _over_budget(self, broken: tuple[Violation, ...]) -> Looped:
        return self._told(
            "budget",
            ok=False,
            violations=broken,
            failed_step="budget",
            error_code="budget_limit_exceeded",
            error="loop budget limit reached",
        )

    def _failed(self, problem: _Stopped) -> Looped:
        cause = problem.cause
        if cause.step == "budget":
            found = self._over_budget(self._violations(last=False))
            return msgspec.structs.replace(found, partial=self._cycle)
        return self._told(
            cause.step,
            ok=False,
            partial=self._cycle,
            failed_step=cause.step,
            cause=cause,
            error_code=CODES[cause.step],
            error=str(problem),
        )


def _size(cycle: Cycle, form: str) -> int:
    """Tokens of what the caller is given of this round."""
    raw = msgspec.json.encode(cycle if form == "json" else small(cycle))
    return -(-len(raw) // BYTES_PER_TOKEN)
