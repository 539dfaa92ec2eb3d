"""Flies a job from spawn to handoff in one call, and goes on with one that was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.life import kill, launch, names, spawn
from lisa_py.core.life.born import born
from lisa_py.core.life.draft import SpawnRequest
from lisa_py.core.life.spawn import Spawned
from lisa_py.core.pilot import flight_log
from lisa_py.core.pilot.flight_log import FlightLog
from lisa_py.core.pilot.journey import (
    SKIPPED,
    STEPS,
    Begun,
    Ended,
    Journey,
    Orders,
    Output,
    Read,
    Step,
    StepEvent,
)
from lisa_py.core.pilot.resume import Earlier
from lisa_py.core.relay import handoff, monitoring
from lisa_py.core.relay.capture import capture
from lisa_py.core.relay.captured import CaptureRequest
from lisa_py.core.relay.handoff import Handoff, HandoffRequest
from lisa_py.core.relay.monitoring import Monitored, Reporting
from lisa_py.core.relay.recent import EventReader
from lisa_py.core.watch.rules import Rules
from lisa_py.store.places import Place

_LANE_FIELDS = frozenset(("agent", "mode", "nested_policy", "nesting_intent", "prompt", "model"))
"""All are decided before the spawn: the lane gives its name and contract, nothing more."""


class Failed(Exception):
    """A step whose answer says that it failed."""

    def __init__(self, code: str, message: str, exit_code: int, output: Output) -> None:
        super().__init__(message)
        self.code, self.exit_code, self.output = code, exit_code, output


def fly(ctx: Context, orders: Orders, earlier: Earlier | None = None, *, stream: bool = False) -> Journey:
    """Do the steps; what goes wrong is in the answer. After a failed monitor what there is to read is still read.

    The run's log holds the summary as it is after each step. Raises LisaError(autopilot_run_busy).
    """
    with flight_log.opened(ctx, ctx.project(orders.project_root), earlier) as log:
        return _Flight(ctx, orders, earlier, stream, log).run()


class _Flight:
    def __init__(self, ctx: Context, orders: Orders, earlier: Earlier | None, stream: bool, log: FlightLog) -> None:
        self._ctx, self._orders, self._earlier, self._stream = ctx, orders, earlier, stream
        self._log, self._id = log, log.run.id
        self._session = orders.session
        self._began = ctx.clock.monotonic()
        self._steps: dict[str, Step] = dict.fromkeys(STEPS, SKIPPED)
        self._failed = ""

    def run(self) -> Journey:
        begin = self._earlier.step if self._earlier else STEPS[0]
        if self._earlier:
            done = STEPS[: STEPS.index(begin)] if begin else STEPS
            self._steps |= {name: self._earlier.steps[name] for name in done if self._earlier.steps[name].ok}
        self._note()
        for name in STEPS[STEPS.index(begin) :] if begin else ():
            if name == "cleanup" and not self._orders.kill_after:
                continue
            step = self._do(name)
            if step.ok:
                continue
            if name == "monitor" and step.exit_code != 130:
                self._do("capture")
            break
        return self._note(over=True)

    def _do(self, name: str) -> Step:
        """One step, and the log with it; the first that fails is the one the run failed at."""
        step = self._steps[name] = self._take(name)
        if not step.ok:
            self._failed = self._failed or name
        self._note()
        return step

    def _take(self, name: str) -> Step:
        """One step, timed; it never raises what the step raises."""
        acts: dict[str, Callable[[], Output]] = {
            "spawn": self._spawn,
            "monitor": self._monitor,
            "capture": self._capture,
            "handoff": self._handoff,
            "cleanup": self._cleanup,
        }
        self._say(StepEvent(autopilot_id=self._id, step=name, phase="started", session=self._session))
        began = self._ctx.clock.monotonic()
        step = self._outcome(acts[name])
        step = msgspec.structs.replace(step, elapsed_seconds=round(self._ctx.clock.monotonic() - began, 3))
        self._say(
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

    def _outcome(self, act: Callable[[], Output]) -> Step:
        try:
            return Step(ok=True, output=act())
        except Failed as problem:
            return Step(
                ok=False,
                exit_code=problem.exit_code,
                error_code=problem.code,
                error=str(problem),
                output=problem.output,
            )
        except LisaError as problem:
            return Step(
                ok=False,
                exit_code=problem.exit_code,
                error_code=problem.code,
                error=problem.message,
                output=problem.details or UNSET,
            )
        except KeyboardInterrupt:
            return Step(ok=False, exit_code=130, error_code="interrupted", error="interrupted; the session goes on")

    def _say(self, event: StepEvent) -> None:
        if self._stream:
            self._ctx.emit(event)
        elif event.phase == "started":
            self._ctx.progress(f"autopilot {self._id}: {event.step} {event.session}")
        else:
            self._ctx.progress("")

    # -- the steps --------------------------------------------------------------------------------------------

    def _spawn(self) -> Begun:
        """Under a name that the log knows beforehand: whoever goes on after a sudden end starts no second session."""
        orders = self._orders
        self._session = orders.session or names.generate(self._ctx, self._log.project, orders.agent, orders.mode)
        self._note()
        try:
            spawned = self._spawned(self._session)
        except BaseException:
            self._session = orders.session
            raise
        objective = spawned.draft.objective
        return Begun(**msgspec.structs.asdict(born(spawned)), objective=objective.id if objective else UNSET)

    def _spawned(self, session: str) -> Spawned:
        orders = self._orders
        request = SpawnRequest(
            launch=launch.Request(
                agent=orders.agent,
                mode=orders.mode,
                prompt=orders.prompt,
                model=orders.model,
                nested_policy=orders.nested_policy,
                nesting_intent=orders.nesting_intent,
            ),
            session=session,
            project_root=orders.project_root,
            lane=orders.lane,
            given=_LANE_FIELDS,
        )
        return spawn.spawn(self._ctx, request)

    def _monitor(self) -> Monitored:
        orders = self._orders
        interactive = orders.mode == "interactive"
        rules = Rules(
            poll_interval=orders.poll_interval,
            max_polls=orders.max_polls,
            timeout_seconds=self._left(),
            stop_on_waiting=interactive,
            expect="any" if interactive else "terminal",
        )
        found = monitoring.run(self._ctx, self._place(), rules, Reporting(stream=self._stream))
        if found.error_code is not UNSET:
            raise Failed(found.error_code, f"the session is {found.final_state} ({found.exit_reason})", 2, found)
        asks = "" if found.waiting_for is UNSET else found.waiting_for
        if asks in ("error", "limit"):
            kind = "" if found.error_kind is UNSET else f": {found.error_kind}"
            raise Failed("agent_error", f"the agent's turn ended in an error{kind}", 2, found)
        if asks not in ("", "prompt"):
            raise Failed("agent_asks", f"the agent asks ({asks}): answer it, then go on with --resume-from", 2, found)
        return found

    def _left(self) -> float:
        """Seconds until the deadline; 0 when there is none. Raises LisaError(autopilot_timeout)."""
        if not self._orders.timeout_seconds:
            return 0
        left = self._orders.timeout_seconds - (self._ctx.clock.monotonic() - self._began)
        if left <= 0:
            raise LisaError("autopilot_timeout", f"{self._orders.timeout_seconds} s are over", exit_code=2)
        return left

    def _capture(self) -> Read:
        orders, place = self._orders, self._place()
        request = CaptureRequest(
            source="pane",
            lines=orders.capture_lines,
            limited=True,
            summary=orders.summary_style if orders.summary else "",
            token_budget=orders.token_budget,
        )
        taken = capture(self._ctx, place, request)
        short = taken.summary
        return Read(
            session=place.session,
            project_root=place.project.root,
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
        """In the schema that the session's lane asks for."""
        for schema in handoff.SCHEMAS:
            try:
                reader = EventReader(self._ctx, None, "")
                found = handoff.build(self._ctx, self._place(), HandoffRequest(schema=schema), reader)
            except LisaError as problem:
                if problem.code != "handoff_schema_v2_required" or schema == handoff.SCHEMAS[-1]:
                    raise
                continue
            break
        if found.error_code is not UNSET:
            raise Failed(found.error_code, f"the session is {found.session_state} ({found.reason})", 1, found)
        return found

    def _cleanup(self) -> Ended:
        place = self._place()
        killed = kill.kill(self._ctx, place)
        found = Ended(
            session=place.session,
            ok=not killed.errors,
            found=killed.target.found,
            project_root=place.project.root,
            processes=killed.target.processes,
            descendants=tuple(outcome.place.session for outcome in killed.descendants),
            errors=tuple(killed.errors) or UNSET,
        )
        if killed.errors:
            raise Failed("session_kill_failed", "; ".join(killed.errors), 1, found)
        return found

    def _place(self) -> Place:
        return self._ctx.place(self._session, self._orders.project_root)

    # -- telling ----------------------------------------------------------------------------------------------

    def _note(self, *, over: bool = False) -> Journey:
        """The summary as it now is, which goes into the log."""
        told: dict[str, Any] = msgspec.structs.asdict(self._orders)
        told |= {"session": self._session or UNSET, "lane": self._orders.lane or UNSET, **self._steps}
        failed, earlier = self._failed, self._earlier
        journey = Journey(
            **told,
            ok=over and not failed,
            autopilot_id=self._id,
            elapsed_seconds=round(self._ctx.clock.monotonic() - self._began, 3),
            error_code=f"autopilot_{failed}_failed" if failed else UNSET,
            error=self._steps[failed].error if failed else UNSET,
            failed_step=failed or UNSET,
            resumed_from=earlier.source if earlier else UNSET,
            resume_step=earlier.step if earlier else UNSET,
        )
        self._log.keep(journey)
        return journey
