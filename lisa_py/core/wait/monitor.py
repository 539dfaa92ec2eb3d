"""Monitor one session until a stop rule is met; changes are seen at once, reports follow the interval."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator

from msgspec import Struct

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.status import TERMINAL_STATES, Status
from lisa_py.core.context import Context
from lisa_py.core.status import last_screen
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.core.status.status_reader import read_with_evidence
from lisa_py.core.wait.marker import MarkerSearch
from lisa_py.core.wait.stop_rules import Stop, StopRules, find_stop, next_interval
from lisa_py.core.wait.transitions import Recorder
from lisa_py.core.wait.waiter import Waiter
from lisa_py.host import processes
from lisa_py.host.pane import Pane
from lisa_py.store import session_records
from lisa_py.store.paths import SessionRef

MARKER_SECONDS = 0.25
"""Longest time between two searches for the marker if output is neither an event nor counted."""


class Poll(Struct, frozen=True):
    """One read of the session."""

    number: int
    status: Status
    changed: bool
    """The state differs from that of the previous read."""
    elapsed: float
    reported: bool = True
    """The interval has passed, the state has changed, or it is the last read."""


class MonitorSummary(Struct, frozen=True, kw_only=True):
    """Outcome of a monitor run."""

    reason: str
    exit_code: int
    code: str = ""
    polls: int
    status: Status
    timed_out: bool = False
    recoveries: int = 0
    polls_used: int = 0
    """Polls of all its rounds; `polls` are those of the last one."""
    output_file: str = ""
    pane: Pane | None = None
    """The pane at the last read, if the agent continues in it."""

    @property
    def final_state(self) -> str:
        return "timeout" if self.timed_out else self.status.session_state

    @property
    def final_status(self) -> str:
        return "timeout" if self.timed_out else self.status.status_word()


def _ignore(_: Poll) -> None:
    return None


def run_monitor(
    ctx: Context,
    ref: SessionRef,
    rules: StopRules,
    emit: Callable[[Poll], None] = _ignore,
    on_poll: Callable[[Poll], None] = _ignore,
) -> MonitorSummary:
    """Wait until a stop rule is met, or the polls or the time are used up.

    `emit` is called for each reported poll, `on_poll` for every read; their errors pass. Raise CancellationError as
    soon as the caller cancels. The session is not affected by either.
    """
    with contextlib.closing(iterate_polls(ctx, ref, rules)) as polls:
        while True:
            try:
                poll = next(polls)
            except StopIteration as end:
                outcome: MonitorSummary = end.value
                return outcome
            on_poll(poll)
            if poll.reported:
                emit(poll)


def iterate_polls(ctx: Context, ref: SessionRef, rules: StopRules) -> Generator[Poll, None, MonitorSummary]:
    """Yield every read; return the summary.

    Closing the iterator ends the monitor and does not affect the session.
    """
    with Waiter(ctx, output=bool(rules.until_marker)) as waiter:
        run = _MonitorRun(ctx, ref, rules, waiter)
        outcome = yield from run.run_round(rules.max_polls)
        budget = rules.recover_budget
        recoveries, used = 0, outcome.polls
        while outcome.timed_out and rules.auto_recover and recoveries < rules.recover_max:
            budget -= outcome.polls
            if (rules.recover_budget and budget <= 0) or not run.press_enter():
                break
            recoveries += 1
            polls = min(rules.max_polls, budget) if rules.recover_budget else rules.max_polls
            outcome = yield from run.run_round(polls)
            used += outcome.polls
        return run.finish(outcome, recoveries, used)


class _MonitorRun:
    """Monitor run of one session, in one or more rounds."""

    def __init__(
        self,
        ctx: Context,
        ref: SessionRef,
        rules: StopRules,
        waiter: Waiter,
    ) -> None:
        self._ctx = ctx
        self._ref = ref
        self._rules = rules
        self._waiter = waiter
        self._cache = PollCache()
        self._recorder = Recorder(ctx, ref)
        self._marker = MarkerSearch(ctx, ref, rules.until_marker) if rules.until_marker else None
        self._counts_output = processes.written_bytes(processes.own_pid()) >= 0
        self._began = ctx.clock.monotonic()
        self._evidence: Evidence | None = None
        self._waiter.follow(ref.session, [ref.folder])  # before the first read, so that no change is missed

    def run_round(self, max_polls: int) -> Generator[Poll, None, MonitorSummary]:
        """Read, report and wait until a rule is met or the polls or the time are used up."""
        clock = self._ctx.clock
        began = next_report_at = clock.monotonic()
        deadline = began + self._rules.timeout_seconds if self._rules.timeout_seconds else float("inf")
        polls, before, degraded_only = 0, "", True
        while True:
            status = self._read()[1]
            now = clock.monotonic()
            found = find_stop(self._rules, status, self._marker_found)
            held = self._seconds_held(status)
            if found is not None and found.reason == "usage_limit" and held:
                found = None
            is_due = now >= next_report_at
            counts = self._rules.counts_polls and not held
            last = now >= deadline or (is_due and counts and polls + 1 >= max_polls)
            changed = before not in ("", _comparison_key(status))
            before = _comparison_key(status)
            degraded_only = degraded_only and status.session_state == "degraded"
            if is_due or last or found:
                polls += not held
                next_report_at = now + next_interval(self._rules, status)
            reported = bool(is_due or last or found or changed)
            yield Poll(polls, status, changed, now - self._began, reported)
            if found:
                return self._make_stop_summary(found, polls, status)
            if last:
                return self._make_timeout_summary(polls, status, degraded_only)
            pause = min(next_report_at, deadline, now + held if held else deadline) - now
            self._waiter.wait(min(pause, self._longest_pause(status)))

    def _seconds_held(self, status: Status) -> float:
        """Return the seconds for which the usage limit of the agent is waited for."""
        if status.waiting_for != "limit":
            return 0.0
        return max(0.0, self._rules.limit_until - self._ctx.clock.now())

    def _read(self) -> tuple[Evidence, Status]:
        self._waiter.start_read()
        evidence, status = read_with_evidence(
            self._ctx, self._ref, agent=self._rules.agent, mode=self._rules.mode, cache=self._cache
        )
        self._waiter.finish_read({self._ref.session: (evidence, status)})
        self._evidence = evidence
        return evidence, self._recorder.record(evidence, status)

    def _marker_found(self) -> bool:
        return bool(self._marker and self._evidence is not None and self._marker.is_found(self._evidence))

    def _longest_pause(self, status: Status) -> float:
        is_seen = self._marker is None or (status.needs_polling and self._counts_output)
        return float("inf") if is_seen else MARKER_SECONDS

    def _make_stop_summary(self, found: Stop, polls: int, status: Status) -> MonitorSummary:
        return MonitorSummary(
            reason=found.reason, exit_code=found.exit_code, code=found.code, polls=polls, status=status
        )

    def _make_timeout_summary(self, polls: int, status: Status, degraded_only: bool) -> MonitorSummary:
        reason = "degraded_max_polls_exceeded" if degraded_only else "max_polls_exceeded"
        return MonitorSummary(
            reason=reason, exit_code=2, code="monitor_timeout", polls=polls, status=status, timed_out=True
        )

    def press_enter(self) -> bool:
        """Press Enter once; return False without a key press if a dialog is open or nothing runs."""
        evidence, status = self._read()
        pane = evidence.pane
        if pane is None or pane.dead or evidence.root is None or not evidence.workload:
            return False
        if status.waiting_for not in ("", "prompt", "error"):
            return False  # Enter would answer a dialog
        try:
            with session_records.session_lock(self._ref, self._ctx.settings, "input"):
                pressed = self._ctx.server(self._ref).send_keys(pane.pane_id, ["Enter"])
        except (TmuxUnavailable, LisaError):
            return False
        if pressed:
            self._recorder.record_lifecycle(None, "monitor_auto_recover", state="in_progress", status_word="active")
        return pressed

    def finish(self, outcome: MonitorSummary, recoveries: int, used: int) -> MonitorSummary:
        """Record the end of the monitor; save the last screen of an ended session."""
        status = outcome.status
        self._recorder.record_lifecycle(
            status, f"monitor_{outcome.reason}", state=outcome.final_state, status_word=outcome.final_status
        )
        kept = (
            last_screen.save_last_screen(self._ctx, self._ref, self._evidence, status)
            if self._evidence is not None
            else ""
        )
        return MonitorSummary(
            reason=outcome.reason,
            exit_code=outcome.exit_code,
            code=outcome.code,
            polls=outcome.polls,
            status=status,
            timed_out=outcome.timed_out,
            recoveries=recoveries,
            polls_used=used,
            output_file=kept,
            pane=self._find_living_pane(status),
        )

    def _find_living_pane(self, status: Status) -> Pane | None:
        if self._evidence is None or status.session_state in TERMINAL_STATES:
            return None
        return self._evidence.pane


def _comparison_key(status: Status) -> str:
    """Return the part of a status whose change is reported; a working agent's steps do not count."""
    agent_state = "" if status.session_state == "in_progress" else status.agent_state
    return f"{status.session_state} {status.waiting_for} {agent_state}"
