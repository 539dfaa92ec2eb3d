"""Watches one session until something the caller waits for has happened; reacts at once, reports at its own pace."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator

from msgspec import Struct

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.watch import output
from lisa_py.core.watch.evidence import Evidence
from lisa_py.core.watch.look import look
from lisa_py.core.watch.marker import MarkerSearch
from lisa_py.core.watch.memory import Memory
from lisa_py.core.watch.rules import Rules, Stop, next_interval, stop
from lisa_py.core.watch.subject import EXACT
from lisa_py.core.watch.transitions import Recorder
from lisa_py.core.watch.waiting import Pace, Waiter
from lisa_py.store import session as records
from lisa_py.store.places import Place

TICK = 1.0
"""Longest time between two looks: for what gives no sign of itself."""
QUICK_TICK = 0.1
"""While the state shows only where no event tells of its change (pane title, processes, pane text)."""
SETTLE_TICK = 0.025
SETTLE_SECONDS = 0.5
"""After an event that changed nothing yet: another sign of the same thing is on its way."""


class Poll(Struct, frozen=True):
    """One look at the session."""

    number: int
    status: Status
    changed: bool
    """The state is another one than at the look before."""
    elapsed: float
    reported: bool = True
    """It is the beat of the interval, a change between two beats, or the last look."""


class Outcome(Struct, frozen=True, kw_only=True):
    """How the monitoring ended."""

    reason: str
    exit_code: int
    code: str = ""
    polls: int
    status: Status
    timed_out: bool = False
    recoveries: int = 0
    output_file: str = ""

    @property
    def final_state(self) -> str:
        return "timeout" if self.timed_out else self.status.session_state

    @property
    def final_status(self) -> str:
        return "timeout" if self.timed_out else self.status.normalised()


def _ignore(_: Poll) -> None:
    return None


def monitor(
    ctx: Context,
    place: Place,
    rules: Rules,
    emit: Callable[[Poll], None] = _ignore,
    seen: Callable[[Poll], None] = _ignore,
) -> Outcome:
    """Wait for the first stop rule that is met, or for the end of the polls or the time.

    `emit` is called for what is reported, `seen` for every look. Raises KeyboardInterrupt (the session is left alone)
    and what the two raise.
    """
    with contextlib.closing(looks(ctx, place, rules)) as every:
        while True:
            try:
                poll = next(every)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            seen(poll)
            if poll.reported:
                emit(poll)


def looks(ctx: Context, place: Place, rules: Rules) -> Generator[Poll, None, Outcome]:
    """The same as an iterator: every look as it is taken; the outcome is its return value.

    Closing it early ends the watching and leaves the session alone.
    """
    with Waiter(ctx) as waiter:
        watch = _Watch(ctx, place, rules, waiter)
        outcome = yield from watch.round(rules.max_polls)
        budget = rules.recover_budget
        recoveries = 0
        while outcome.timed_out and rules.auto_recover and recoveries < rules.recover_max:
            budget -= outcome.polls
            if (rules.recover_budget and budget <= 0) or not watch.nudge():
                break
            recoveries += 1
            polls = min(rules.max_polls, budget) if rules.recover_budget else rules.max_polls
            outcome = yield from watch.round(polls)
        return watch.leave(outcome, recoveries)


class _Watch:
    """One session being watched, over one or several rounds."""

    def __init__(
        self,
        ctx: Context,
        place: Place,
        rules: Rules,
        waiter: Waiter,
    ) -> None:
        self._ctx = ctx
        self._place = place
        self._rules = rules
        self._waiter = waiter
        self._memory = Memory()
        self._recorder = Recorder(ctx, place)
        self._marker = MarkerSearch(ctx, place, rules.until_marker) if rules.until_marker else None
        self._began = ctx.clock.monotonic()
        self._evidence: Evidence | None = None
        self._waiter.watch([place.folder], [])  # before the first look: what happens during it is not missed

    def round(self, max_polls: int) -> Generator[Poll, None, Outcome]:
        """Look, report and wait until a rule is met or the polls or the time are used up."""
        clock = self._ctx.clock
        began = next_beat = clock.monotonic()
        deadline = began + self._rules.timeout_seconds if self._rules.timeout_seconds else float("inf")
        polls, before, degraded_only = 0, "", True
        woken_at = began
        while True:
            pace = Pace(clock)
            evidence, status = self._look()
            now = pace.looked()
            found = stop(self._rules, status, self._marker_found)
            beat = now >= next_beat
            last = now >= deadline or (beat and self._rules.counts_polls and polls + 1 >= max_polls)
            changed = before not in ("", _words(status))
            before = _words(status)
            degraded_only = degraded_only and status.session_state == "degraded"
            if beat or last or found:
                polls += 1
                next_beat = now + next_interval(self._rules, status)
            reported = bool(beat or last or found or changed)
            yield Poll(polls, status, changed, now - self._began, reported)
            if found:
                return self._stopped(found, polls, status)
            if last:
                return self._exhausted(polls, status, degraded_only)
            pause = min(next_beat, deadline) - now
            if self._waiter.wait(min(pause, self._tick(evidence, status, now - woken_at))):
                pace.rest()
                woken_at = clock.monotonic()

    def _look(self) -> tuple[Evidence, Status]:
        evidence, status = look(
            self._ctx, self._place, agent=self._rules.agent, mode=self._rules.mode, memory=self._memory
        )
        self._evidence = evidence
        pids = [evidence.pane.pid] if evidence.pane is not None and evidence.root is not None else []
        if evidence.agent_process is not None and evidence.root is not None:
            pids.append(evidence.agent_process.pid)
        self._waiter.watch([self._place.folder, *evidence.watch_paths], pids)
        return evidence, self._recorder.see(evidence, status)

    def _marker_found(self) -> bool:
        return bool(self._marker and self._evidence is not None and self._marker.found(self._evidence))

    def _tick(self, evidence: Evidence, status: Status, since_event: float) -> float:
        """How long nothing may happen until the next look."""
        if since_event < SETTLE_SECONDS and status.state_source not in ("agent_file", "end_record"):
            return max(SETTLE_TICK, since_event / 2)
        if status.session_state in ("in_progress", "just_started") and _changes_unheard(evidence, status):
            exact = any(report.source in EXACT for report in evidence.reports)
            return QUICK_TICK if exact or since_event < 60 else 4 * QUICK_TICK
        return 2.5 * QUICK_TICK if self._marker is not None else TICK

    def _stopped(self, found: Stop, polls: int, status: Status) -> Outcome:
        return Outcome(reason=found.reason, exit_code=found.exit_code, code=found.code, polls=polls, status=status)

    def _exhausted(self, polls: int, status: Status, degraded_only: bool) -> Outcome:
        reason = "degraded_max_polls_exceeded" if degraded_only else "max_polls_exceeded"
        return Outcome(reason=reason, exit_code=2, code="monitor_timeout", polls=polls, status=status, timed_out=True)

    def nudge(self) -> bool:
        """Press Enter once in a living pane that asks nothing; False where that would be unsafe or is not possible."""
        evidence, status = self._look()
        pane = evidence.pane
        if pane is None or pane.dead or evidence.root is None or not evidence.workload:
            return False
        if status.waiting_for not in ("", "prompt", "error"):
            return False  # Enter would answer a dialog
        try:
            with records.session_lock(self._place, self._ctx.settings, "input"):
                pressed = self._ctx.server(self._place).keys(pane.pane_id, ["Enter"])
        except (TmuxUnavailable, LisaError):
            return False
        if pressed:
            self._recorder.lifecycle(None, "monitor_auto_recover", state="in_progress", word="active")
        return pressed

    def leave(self, outcome: Outcome, recoveries: int) -> Outcome:
        """Note the end in the session's events and keep the last screen of an ended session."""
        status = outcome.status
        self._recorder.lifecycle(
            status, f"monitor_{outcome.reason}", state=outcome.final_state, word=outcome.final_status
        )
        kept = output.keep(self._ctx, self._place, self._evidence, status) if self._evidence is not None else ""
        return Outcome(
            reason=outcome.reason,
            exit_code=outcome.exit_code,
            code=outcome.code,
            polls=outcome.polls,
            status=status,
            timed_out=outcome.timed_out,
            recoveries=recoveries,
            output_file=kept,
        )


def _changes_unheard(evidence: Evidence, status: Status) -> bool:
    """Whether the next change of state may come without any file or process telling of it."""
    if status.classification_reason in ("prompt_pending", "grace_period_just_started"):
        return True
    if status.state_source == "title":
        return not (evidence.meta and evidence.meta.hooks)  # hooks and transcript tell of all that the title shows
    return status.state_source in ("activity", "screen")


def _words(status: Status) -> str:
    """What makes two looks the same; a working agent that goes from thought to tool is still the same."""
    doing = "" if status.session_state == "in_progress" else status.agent_state
    return f"{status.session_state} {status.waiting_for} {doing}"
