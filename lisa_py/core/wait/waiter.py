"""Wait for events of sessions, and pace the reads of those that give none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import TracebackType

from msgspec import Struct

from lisa_py.contract.errors import CancellationError
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.status import fusion, process_activity
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.wait.activity_check import ActivityCheck
from lisa_py.host.clock import Clock
from lisa_py.host.file_events_many import open_watcher
from lisa_py.host.file_events_shared import HUB

IGNORED_FILES = ("heartbeat", "events.jsonl", "output.txt")
"""Files of a session folder whose change does not concern the agent."""
PAUSE_FACTOR = 1
"""Pause between two reads in a burst of events, as a multiple of the CPU time of a read."""
LIVE_PAUSE_FACTOR = 3
"""Pause after a read of a followed session, as a multiple of its cost."""
BURST_SECONDS, BURST_SHARE = 0.2, 0.04
"""CPU time of the reads in a burst of events, and their share of a core when it goes on."""
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
"""Longest interval while a title shows work: the screen may show why it does not go on."""
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


class ReadThrottle:
    """Limit the reads in a burst of events; the first events after a quiet time are hardly delayed."""

    def __init__(self, clock: Clock, *, live: bool = False) -> None:
        """`live`: somebody follows the output, so that no event waits for the credit of earlier ones."""
        self._clock = clock
        self._live = live
        self._began = clock.cpu()
        self._ended = clock.monotonic()
        self._credit = BURST_SECONDS
        """CPU seconds that reads caused by events may use at once."""
        self.cost = 0.0
        """CPU seconds of the last read."""

    @property
    def next_read_at(self) -> float:
        """Return the earliest time of a read caused by an event."""
        if self._live:
            return self._ended + min(MAX_PAUSE_SECONDS, LIVE_PAUSE_FACTOR * self.cost)
        pause = max(PAUSE_FACTOR * self.cost, -self._credit / BURST_SHARE)
        return self._ended + min(MAX_PAUSE_SECONDS, pause)

    def start_read(self) -> None:
        self._began = self._clock.cpu()

    def finish_read(self, *, by_event: bool) -> float:
        """Note the end of a read, caused by an event or not; return the time."""
        now = self._clock.monotonic()
        self.cost = self._clock.cpu() - self._began
        self._credit = min(BURST_SECONDS, self._credit + BURST_SHARE * (now - self._ended))
        self._credit -= self.cost if by_event else 0.0
        self._ended = now
        return now


class _Member(Struct):
    """One session being waited for."""

    read_at: float
    changed_at: float
    """Time of its last event or change."""
    event_at: float = float("-inf")
    status: Status | None = None
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
        self.next_at = now + self._factor * cost


class Waiter:
    """Wait until one of some sessions has to be read again."""

    def __init__(self, ctx: Context, *, shared: bool = False, output: bool = False) -> None:
        """Open the watcher.

        `shared`: other threads of this process wait, too. `output`: output of a polled session causes a read.
        """
        self._clock = ctx.clock
        self._cancellation = ctx.cancellation
        open_one = HUB.open if shared else open_watcher
        self._watcher = open_one(IGNORED_FILES, ctx.cancellation.fileno())
        self._cancellation.add_observer()
        self._members: dict[str, _Member] = {}
        self._throttle = ReadThrottle(ctx.clock, live=output)
        self._due: set[str] = set()
        """Members with an event."""
        self._others: set[str] = set()
        """Members that do something else."""
        self._check = ActivityCheck(ctx, output=output)
        self._checked_at = self._check_cost = 0.0
        self._young_pace, self._other_pace, self._quiet_pace = (
            _Pace(factor) for factor in (YOUNG_FACTOR, OTHER_FACTOR, QUIET_FACTOR)
        )
        self._reading: list[_Pace] = []
        """Those of the present read."""
        self._has_event = False
        """The present read is caused by an event."""

    @property
    def read_cost(self) -> float:
        """Return the CPU seconds of the last read."""
        return self._throttle.cost

    def follow(self, key: str, paths: Iterable[str], pids: Iterable[int] = ()) -> None:
        """Watch these files, folders and processes as the member's; call it before the first read."""
        self._watcher.follow(key, paths, pids)

    def unfollow_others(self, keys: Collection[str]) -> None:
        """Forget the members that are not among these."""
        for key in self._members.keys() - set(keys):
            del self._members[key]
            self._due.discard(key)
            self._others.discard(key)
            self._check.forget(key)
            self._watcher.follow(key, (), ())

    def start_read(self) -> None:
        self._throttle.start_read()

    def finish_read(self, found: Mapping[str, tuple[Evidence, Status]]) -> float:
        """Store the values just read of some members; return the time."""
        for key, (evidence, status) in found.items():
            self._watcher.follow(key, [evidence.folder, *evidence.watch_paths], _find_pids(evidence))
            self._check.update(key, evidence, status)
        now = self._throttle.finish_read(by_event=self._has_event)
        self._has_event = False
        wall = self._clock.now()
        for key, (evidence, status) in found.items():
            member = self._members.setdefault(key, _Member(now, now))
            if member.status is None or _differs(member.status, status):
                member.changed_at = now
            member.read_at, member.status = now, status
            member.quiet_at = _find_quiet_moments(evidence, status, now - wall)
        self._due -= found.keys()
        self._others -= found.keys()
        for pace in self._reading:
            pace.finish(now, self._throttle.cost)
        self._reading = []
        return now

    def wait(self, seconds: float) -> set[str]:
        """Return the members to read because of an event, a difference or their interval; none after `seconds`.

        Raise CancellationError as soon as the caller cancels.
        """
        deadline = self._clock.monotonic() + max(0.0, seconds)
        while True:
            if self._cancellation.is_set:
                raise CancellationError
            now = self._clock.monotonic()
            due = self._find_due(now)
            if due or now >= deadline:
                return due
            self._note_events(self._watcher.wait(min(deadline, self._next_wake_at(now)) - now))

    def _note_events(self, keys: Collection[str]) -> None:
        now = self._clock.monotonic()
        for key in keys:
            if key in self._members:
                self._members[key].event_at = self._members[key].changed_at = now
        self._due |= set(keys)

    def _find_due(self, now: float) -> set[str]:
        self._run_check(now)
        cost = self._throttle.cost
        due: set[str] = set()
        if self._due and now >= self._throttle.next_read_at:
            due, self._due = self._due, set()
            self._has_event = True
        if self._others and now >= self._other_pace.next_at:
            due, self._others = due | self._others, set()
            self._reading.append(self._other_pace)
        young, quiet = self._split_members(now)
        if now >= self._young_pace.next_at and (late := _find_late(young, now, cost)):
            due |= late
            self._reading.append(self._young_pace)
        if now >= self._quiet_pace.next_at and _find_late(quiet, now, cost):
            # one read of all is cheaper than one of each
            due |= {key for key, each in quiet.items() if 2 * now >= each.read_at + each.next_read_at(cost)}
            self._reading.append(self._quiet_pace)
        return due

    def _next_wake_at(self, now: float) -> float:
        cost = self._throttle.cost
        times = [self._throttle.next_read_at] if self._due else []
        if self._others:
            times.append(self._other_pace.next_at)
        young, quiet = self._split_members(now)
        for members, pace in ((young, self._young_pace), (quiet, self._quiet_pace)):
            if members:
                times.append(max(pace.next_at, min(each.next_read_at(cost) for each in members.values())))
        if self._check.is_needed:
            times.append(self._next_check_at(bool(young)))
        return max(now, min(times, default=float("inf")))

    def _split_members(self, now: float) -> tuple[dict[str, _Member], dict[str, _Member]]:
        """Return the members that have changed of late, and the others."""
        young = {key: each for key, each in self._members.items() if now - each.changed_at < YOUNG_SECONDS}
        return young, {key: each for key, each in self._members.items() if key not in young}

    def _next_check_at(self, has_young: bool) -> float:
        cost = self._check_cost
        interval = QUICK_SECONDS if has_young else max(CHECK_SECONDS, min(LONG_CHECK_SECONDS, CHECK_FACTOR * cost))
        return self._checked_at + max(interval, FLEET_CHECK_FACTOR * cost)

    def _run_check(self, now: float) -> None:
        """Find the members that do something else than before."""
        if not self._check.is_needed or now < self._next_check_at(bool(self._split_members(now)[0])):
            return
        began = self._clock.cpu()
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


def _find_late(members: Mapping[str, _Member], now: float, cost: float) -> set[str]:
    return {key for key, member in members.items() if now >= member.next_read_at(cost)}


def _find_quiet_moments(evidence: Evidence, status: Status, offset: float) -> tuple[float, ...]:
    """Return the times at which a program that polls its terminal counts as idle; `offset` leads from wall clock."""
    if not status.needs_polling or evidence.pane is None:
        return ()
    periods = (process_activity.QUIET_SECONDS, process_activity.QUIET_UNKNOWN_SECONDS)
    return tuple(evidence.pane.activity + seconds + offset for seconds in periods)
