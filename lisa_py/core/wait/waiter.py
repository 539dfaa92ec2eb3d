"""Wait for events of sessions, and pace the reads of those that give none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from msgspec import Struct

from lisa_py.contract.errors import CancellationError
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.status import fusion, process_activity
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.wait.activity_check import ActivityCheck
from lisa_py.host import files
from lisa_py.host.clock import Clock
from lisa_py.host.file_events_many import open_watcher
from lisa_py.host.wakeup import Wakeup

IGNORED_FILES = ("heartbeat", "events.jsonl", "output.txt")
"""Files of a session folder whose change does not concern the agent."""
PAUSE_FACTOR = 1
"""Pause between two reads in a burst of events, as a multiple of the CPU time of a read."""
LIVE_PAUSE_FACTOR = 3
"""Pause after a read of a followed session, as a multiple of its cost."""
BURST_SECONDS, BURST_SHARE = 0.2, 0.04
"""CPU time of the reads in a burst of events, and their share of a core when it continues."""
MAX_PAUSE_SECONDS = 1.0
SETTLE_SECONDS, SETTLE_TICK, SETTLE_FACTOR = 0.5, 0.025, 3
"""Fast reads after an event: further evidence of the same change may come without one."""
REPORT_SETTLE_SECONDS = fusion.SETTLE_SECONDS + 0.1
"""The same while a dated report leads: it yields to a live one at that age."""
QUICK_SECONDS, GROWTH, SLOW_SECONDS = 0.1, 4, 5.0
"""Interval of reads without an event: a quarter of the time since the last change, within these bounds."""
SAFE_SECONDS = 1.0
"""Least interval of reads of a session whose changes are events."""
TITLE_SECONDS = 2.0
"""Longest interval while a title shows work: the screen may show why it does not continue."""
SCREEN_SECONDS = 0.25
"""Interval while the state of a working agent shows on its screen only."""
YOUNG_SECONDS = 10.0
"""Time since a change in which the next one is likely."""
YOUNG_FACTOR, OTHER_FACTOR, QUIET_FACTOR = 50, 100, 500
"""Pause after reads without an event, as a multiple of their CPU time: of young, of other and of quiet members."""
CHECK_SECONDS, CHECK_FACTOR, LONG_CHECK_SECONDS, FLEET_CHECK_FACTOR = 0.25, 500, 1.0, 80
"""Interval of checks whether a member does something else; at least a multiple of their CPU time.

QUICK_SECONDS while a member is young; up to LONG_CHECK_SECONDS the larger multiple counts.
"""


STAMP_SECONDS = 0.01
"""Most that the time of a file is behind the clock: the kernel stamps files with that of its last tick."""


class BurstThrottle:
    """Limit the reads of monitors in a burst of events; the first events after a quiet time are hardly delayed."""

    def __init__(self, clock: Clock) -> None:
        self._ended = clock.monotonic()
        self._credit = BURST_SECONDS
        """CPU seconds that reads caused by events may use at once."""
        self.next_read_at = self._ended
        """Earliest time of a read caused by an event."""

    def finish_read(self, now: float, cost: float, *, by_event: bool) -> None:
        """Note the end of a read and its CPU seconds."""
        self._credit = min(BURST_SECONDS, self._credit + BURST_SHARE * (now - self._ended))
        self._credit -= cost if by_event else 0.0
        self._ended = now
        self.next_read_at = now + min(MAX_PAUSE_SECONDS, max(PAUSE_FACTOR * cost, -self._credit / BURST_SHARE))


class LiveThrottle:
    """Pause after each read of a followed session; no event waits for the cost of earlier ones."""

    def __init__(self, clock: Clock) -> None:
        self.next_read_at = clock.monotonic()
        """As that of the other throttle."""

    def finish_read(self, now: float, cost: float, *, by_event: bool) -> None:
        self.next_read_at = now + min(MAX_PAUSE_SECONDS, LIVE_PAUSE_FACTOR * cost)


class _Member(Struct):
    """One session being waited for."""

    read_at: float
    changed_at: float
    """Time of its last event or change."""
    event_at: float = float("-inf")
    status: Status | None = None
    paths: tuple[str, ...] = ()
    """Its watched files and folders outside its own folder."""
    quiet_at: tuple[float, ...] = ()
    """Times at which its silence alone changes the state."""

    def next_read_at(self, cost: float) -> float:
        """Return when to read the session if no event comes."""
        if self.status is None:
            return self.read_at
        since_event = self.read_at - self.event_at
        if since_event < self._settle_seconds(self.status):
            return self.read_at + max(SETTLE_TICK, since_event / 2, SETTLE_FACTOR * cost)
        at = self.read_at + self._interval(self.status)
        return min([at, *(moment for moment in self.quiet_at if moment > self.read_at)])

    @staticmethod
    def _settle_seconds(status: Status) -> float:
        if status.state_source in ("agent_file", "end_record"):
            return 0.0
        return REPORT_SETTLE_SECONDS if status.state_source in ("hook", "transcript") else SETTLE_SECONDS

    def _interval(self, status: Status) -> float:
        if status.session_state == "just_started" or status.classification_reason == "prompt_pending":
            return QUICK_SECONDS
        since = (self.read_at - self.changed_at) / GROWTH
        if not status.needs_polling:
            return min(SLOW_SECONDS, max(SAFE_SECONDS, since))
        longest = SLOW_SECONDS
        if status.session_state == "in_progress":
            longest = {"title": TITLE_SECONDS, "screen": SCREEN_SECONDS}.get(status.state_source, longest)
        return min(longest, max(QUICK_SECONDS, since))


class _Pace:
    """Pause after reads of one kind, as a multiple of what they cost."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self.next_at = 0.0

    def finish(self, now: float, cost: float) -> None:
        self.next_at = max(now, self.next_at) + self._factor * cost


class _Pacing:
    """The pauses of members that are read together: of a followed one alone, of monitored ones for all."""

    def __init__(self, throttle: BurstThrottle | LiveThrottle) -> None:
        self.throttle = throttle
        self.young, self.other = _Pace(YOUNG_FACTOR), _Pace(OTHER_FACTOR)
        self.cost = 0.0
        """CPU seconds of the last read."""
        self._reading: set[_Pace] = set()
        self._has_event = False

    def start(self, pace: _Pace | None) -> None:
        """Note the reason of the next read; None for an event."""
        if pace is None:
            self._has_event = True
        else:
            self._reading.add(pace)

    def finish(self, now: float, cost: float) -> None:
        self.cost = cost
        self.throttle.finish_read(now, cost, by_event=self._has_event)
        for pace in self._reading:
            pace.finish(now, cost)
        self._reading.clear()
        self._has_event = False


class Waiter:
    """Wait until one of some sessions has to be read again."""

    def __init__(
        self,
        ctx: Context,
        *,
        output: bool = False,
        live: bool = False,
        wakeup: Wakeup | None = None,
        around_check: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Open the watcher.

        `output`: output of a polled session causes a read. `live`: somebody follows the output, and the members are
        read one by one. `wakeup` ends a wait instead of the cancellation of the caller. `around_check` is entered
        while members are checked.
        """
        self._clock = ctx.clock
        self._cancellation = ctx.cancellation
        self._wakeup = wakeup
        self._watcher = open_watcher(IGNORED_FILES, (wakeup or ctx.cancellation).fileno())
        self._cancellation.add_observer()
        self._members: dict[str, _Member] = {}
        self._is_live = live
        self._around_check = around_check
        self._shared_pacing = _Pacing(BurstThrottle(ctx.clock))
        self._own_pacings: dict[str, _Pacing] = {}
        self._quiet_pace = _Pace(QUIET_FACTOR)
        self._due: set[str] = set()
        """Members with an event."""
        self._others: set[str] = set()
        """Members that do something else."""
        self._check = ActivityCheck(ctx, output=output or live)
        self._checked_at = self._check_cost = 0.0
        self._read_began, self._read_began_at = ctx.clock.cpu(), ctx.clock.now()
        self.read_cost = 0.0
        """CPU seconds of the last read."""

    def _pacing_of(self, key: str) -> _Pacing:
        if not self._is_live:
            return self._shared_pacing
        found = self._own_pacings.get(key)
        if found is None:
            found = self._own_pacings[key] = _Pacing(LiveThrottle(self._clock))
        return found

    def follow(self, key: str, paths: Iterable[str], pids: Iterable[int] = ()) -> None:
        """Watch these files, folders and processes as the member's; call it before the first read."""
        self._watcher.follow(key, paths, pids)

    def unfollow(self, key: str) -> None:
        """Forget a member."""
        self._members.pop(key, None)
        self._own_pacings.pop(key, None)
        self._due.discard(key)
        self._others.discard(key)
        self._check.forget(key)
        self._watcher.follow(key, (), ())

    def unfollow_others(self, keys: Collection[str]) -> None:
        """Forget the members that are not among these."""
        for key in self._members.keys() - set(keys):
            self.unfollow(key)

    def start_read(self) -> None:
        self._read_began, self._read_began_at = self._clock.cpu(), self._clock.now()

    def finish_read(self, found: Mapping[str, tuple[Evidence, Status]]) -> float:
        """Store the values just read of some members; return the time."""
        for key, (evidence, status) in found.items():
            self._watcher.follow(key, [evidence.folder, *evidence.watch_paths], _find_pids(evidence))
            self._check.update(key, evidence, status)
        now, cost = self._clock.monotonic(), self._clock.cpu() - self._read_began
        self.read_cost = cost
        wall = self._clock.now()
        changed = set()
        for key, (evidence, status) in found.items():
            member = self._members.setdefault(key, _Member(now, now))
            if member.status is None or _differs(member.status, status):
                member.changed_at = now
            member.read_at, member.status = now, status
            if self._has_changed_before_watch(member, evidence.watch_paths):
                changed.add(key)
            member.paths = evidence.watch_paths
            member.quiet_at = _find_quiet_moments(evidence, status, now - wall)
        self._due -= found.keys()
        self._others -= found.keys()
        for pacing in {self._pacing_of(key) for key in found} if self._is_live else (self._shared_pacing,):
            pacing.finish(now, cost)
        self._note_events(changed)
        return now

    def _has_changed_before_watch(self, member: _Member, paths: Iterable[str]) -> bool:
        """Return True if a path has changed since the begin of the read which found that it has to be watched."""
        since = self._read_began_at - STAMP_SECONDS
        return any(files.modified_at(path) >= since for path in paths if path not in member.paths)

    def wait(self, seconds: float) -> set[str]:
        """Return the members to read because of an event, a difference or their interval; none after `seconds`.

        Return at a request of `wakeup`, too. Raise CancellationError as soon as the caller cancels.
        """
        deadline = self._clock.monotonic() + max(0.0, seconds)
        while True:
            if self._cancellation.is_set:
                raise CancellationError
            now = self._clock.monotonic()
            due = self._find_due(now)
            is_woken = self._wakeup is not None and self._wakeup.take()
            if due or is_woken or now >= deadline:
                return due
            self._note_events(self._watcher.wait(min(deadline, self._next_wake_at(now)) - now))

    def poll(self) -> set[str]:
        """Return the members to read now."""
        self._note_events(self._watcher.wait(0))
        return self._find_due(self._clock.monotonic())

    def _note_events(self, keys: Collection[str]) -> None:
        now = self._clock.monotonic()
        for key in keys:
            if key in self._members:
                self._members[key].event_at = self._members[key].changed_at = now
        self._due |= set(keys)

    def _find_due(self, now: float) -> set[str]:
        self._run_check(now)
        due: set[str] = set()
        for key in self._due:
            if now >= self._pacing_of(key).throttle.next_read_at:
                due.add(key)
                self._pacing_of(key).start(None)
        self._due -= due
        for key in tuple(self._others):
            pacing = self._pacing_of(key)
            if now >= pacing.other.next_at:
                due.add(key)
                pacing.start(pacing.other)
                self._others.discard(key)
        return due | self._find_late(now, due)

    def _find_late(self, now: float, due: Collection[str]) -> set[str]:
        """Return the members to read because of their intervals alone."""
        late: set[str] = set()
        may_read_quiet = now >= self._quiet_pace.next_at
        quiet: dict[str, float] = {}
        for key, member in self._members.items():
            pacing = self._pacing_of(key)
            if key in due:
                continue
            if not self._is_young(member, now):
                if may_read_quiet:
                    quiet[key] = member.next_read_at(pacing.cost)
            elif now >= pacing.young.next_at and now >= member.next_read_at(pacing.cost):
                late.add(key)
                pacing.start(pacing.young)
        if any(now >= at for at in quiet.values()):
            # one read of all is cheaper than one of each
            for key, at in quiet.items():
                if 2 * now >= self._members[key].read_at + at:
                    late.add(key)
                    self._pacing_of(key).start(self._quiet_pace)
        return late

    def _next_wake_at(self, now: float) -> float:
        times = [self._pacing_of(key).throttle.next_read_at for key in self._due]
        times += [self._pacing_of(key).other.next_at for key in self._others]
        has_young, quiet = False, float("inf")
        for key, member in self._members.items():
            pacing = self._pacing_of(key)
            at = member.next_read_at(pacing.cost)
            if self._is_young(member, now):
                has_young = True
                times.append(max(pacing.young.next_at, at))
            else:
                quiet = min(quiet, at)
        times.append(max(self._quiet_pace.next_at, quiet))
        if self._check.is_needed:
            times.append(self._next_check_at(has_young))
        return max(now, min(times))

    @staticmethod
    def _is_young(member: _Member, now: float) -> bool:
        """Return True for a member that has changed of late."""
        return now - member.changed_at < YOUNG_SECONDS

    def _next_check_at(self, has_young: bool) -> float:
        cost = self._check_cost
        interval = QUICK_SECONDS if has_young else max(CHECK_SECONDS, min(LONG_CHECK_SECONDS, CHECK_FACTOR * cost))
        return self._checked_at + max(interval, FLEET_CHECK_FACTOR * cost)

    def _run_check(self, now: float) -> None:
        """Find the members that do something else than before."""
        if not self._check.is_needed:
            return
        has_young = any(self._is_young(member, now) for member in self._members.values())
        if now < self._next_check_at(has_young):
            return
        began = self._clock.cpu()
        with self._around_check():
            self._others |= self._check.find_changed()
        self._checked_at = self._clock.monotonic()
        self._check_cost = self._clock.cpu() - began

    def close(self) -> None:
        self._cancellation.remove_observer()
        self._watcher.close()

    def __enter__(self) -> Waiter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()


def _find_pids(evidence: Evidence) -> list[int]:
    """Return the processes whose end changes the state at once; a step of a command is none of them."""
    if evidence.root is None:
        return []
    pids = [evidence.pane.pid] if evidence.pane is not None else []
    agent = evidence.agent_process if evidence.recognised else None
    return pids + ([agent.pid] if agent is not None else [])


def _differs(before: Status, now: Status) -> bool:
    return (before.session_state, before.waiting_for) != (now.session_state, now.waiting_for)


def _find_quiet_moments(evidence: Evidence, status: Status, offset: float) -> tuple[float, ...]:
    """Return the times at which a program that polls its terminal counts as idle; `offset` leads from wall clock."""
    if not status.needs_polling or evidence.pane is None:
        return ()
    periods = (process_activity.QUIET_SECONDS, process_activity.QUIET_UNKNOWN_SECONDS)
    return tuple(evidence.pane.activity + seconds + offset for seconds in periods)
