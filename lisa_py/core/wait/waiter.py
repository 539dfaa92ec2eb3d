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
from lisa_py.core.status.process_activity import ActivitySnapshot
from lisa_py.host.clock import Clock
from lisa_py.host.file_events_many import open_watcher
from lisa_py.host.file_events_shared import HUB
from lisa_py.host.processes import Process

IGNORED_FILES = ("heartbeat", "events.jsonl", "output.txt")
"""Files of a session folder whose change does not concern the agent."""
PAUSE_FACTOR = 3
"""Pause between two reads in a burst of events, as a multiple of the cost of a read."""
MAX_PAUSE_SECONDS = 1.0
SETTLE_SECONDS, SETTLE_TICK = 0.5, 0.025
"""Fast reads after an event: further evidence of the same change may come without one."""
REPORT_SETTLE_SECONDS = fusion.SETTLE_SECONDS + 0.1
"""The same while a dated report leads: it yields to a live one at that age."""
QUICK_SECONDS, QUICK_FACTOR = 0.1, 20
"""Interval of polling after a change; at least that multiple of the cost of a read, which bounds the load."""
QUICK_PERIOD = 10.0
"""Seconds after a change in which a session is polled quickly."""
QUIET_SECONDS, QUIET_FACTOR, MAX_QUIET_SECONDS, MIN_QUIET_FACTOR = 1.0, 250, 5.0, 200
"""Interval of polling a session whose processes do the same as before; for a large fleet only the factor counts."""
TITLE_SECONDS = 0.25
"""Interval while the state of a working agent shows only in its title or on its screen."""
SNAPSHOT_SECONDS, SNAPSHOT_FACTOR = 0.25, 250
"""Interval of comparing what the processes do."""


class ReadThrottle:
    """Limit the reads in a burst of events; the first event after a quiet time is not delayed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = self._ended = clock.monotonic()

    @property
    def cost(self) -> float:
        """Return the seconds that the last read took."""
        return self._ended - self._began

    @property
    def next_read_at(self) -> float:
        """Return the earliest time of a read caused by an event."""
        return self._ended + min(MAX_PAUSE_SECONDS, PAUSE_FACTOR * self.cost)

    def start_read(self) -> None:
        self._began = self._clock.monotonic()

    def finish_read(self) -> float:
        """Note the end of a read; return the time."""
        self._ended = self._clock.monotonic()
        return self._ended


class _Member(Struct):
    """One session being waited for."""

    read_at: float
    changed_at: float
    """Time of its last event or change."""
    event_at: float = float("-inf")
    status: Status | None = None
    workload: tuple[Process, ...] = ()
    snapshot: ActivitySnapshot | None = None

    def next_read_at(self, cost: float) -> float:
        """Return when to read the session if no event comes; infinite if only events change it."""
        if self.status is None:
            return self.read_at
        since_event = self.read_at - self.event_at
        is_dated = self.status.state_source in ("hook", "transcript")
        settle_seconds = REPORT_SETTLE_SECONDS if is_dated else SETTLE_SECONDS
        if since_event < settle_seconds and self.status.state_source not in ("agent_file", "end_record"):
            return self.read_at + max(SETTLE_TICK, since_event / 2, PAUSE_FACTOR * cost)
        if not self.status.needs_polling:
            return float("inf")
        return self.read_at + self._polling_interval(self.status, cost)

    def _polling_interval(self, status: Status, cost: float) -> float:
        is_brief = status.session_state == "just_started" or status.classification_reason == "prompt_pending"
        if is_brief or self.read_at - self.changed_at < QUICK_PERIOD:
            return max(QUICK_SECONDS, QUICK_FACTOR * cost)
        if status.session_state == "in_progress" and status.state_source in ("title", "screen"):
            return max(TITLE_SECONDS, QUICK_FACTOR * cost)
        return max(QUIET_SECONDS, min(MAX_QUIET_SECONDS, QUIET_FACTOR * cost), MIN_QUIET_FACTOR * cost)


class Waiter:
    """Wait until one of some sessions has to be read again."""

    def __init__(self, ctx: Context, *, shared: bool = False, output: bool = False) -> None:
        """Open the watcher.

        `shared`: other threads of this process wait, too. `output`: output of a polled session causes a read.
        """
        self._output = output
        self._clock = ctx.clock
        self._cancellation = ctx.cancellation
        open_one = HUB.open if shared else open_watcher
        self._watcher = open_one(IGNORED_FILES, ctx.cancellation.fileno())
        self._cancellation.add_observer()
        self._members: dict[str, _Member] = {}
        self._throttle = ReadThrottle(ctx.clock)
        self._due: set[str] = set()
        self._snapshots_at = 0.0
        self._snapshots_cost = 0.0

    @property
    def read_cost(self) -> float:
        """Return the seconds that the last read took."""
        return self._throttle.cost

    def follow(self, key: str, paths: Iterable[str], pids: Iterable[int] = ()) -> None:
        """Watch these files, folders and processes as the member's; call it before the first read."""
        self._watcher.follow(key, paths, pids)

    def unfollow_others(self, keys: Collection[str]) -> None:
        """Forget the members that are not among these."""
        for key in self._members.keys() - set(keys):
            del self._members[key]
            self._due.discard(key)
            self._watcher.follow(key, (), ())

    def start_read(self) -> None:
        self._throttle.start_read()

    def finish_read(self, found: Mapping[str, tuple[Evidence, Status]]) -> float:
        """Store the values just read of some members; return the time."""
        now = self._throttle.finish_read()
        for key, (evidence, status) in found.items():
            self._watcher.follow(key, [evidence.folder, *evidence.watch_paths], _find_pids(evidence))
            member = self._members.setdefault(key, _Member(now, now))
            if member.status is None or _differs(member.status, status):
                member.changed_at = now
            member.read_at, member.status = now, status
            member.workload = evidence.workload
            if not self._is_quiet(member):
                member.snapshot = None  # compare only snapshots of one quiet period
            self._due.discard(key)
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
            self._note_events(self._watcher.wait(min(deadline, self._next_wake_at()) - now))

    def _next_wake_at(self) -> float:
        cost = self._throttle.cost
        wake_at = min((member.next_read_at(cost) for member in self._members.values()), default=float("inf"))
        if self._due:
            wake_at = min(wake_at, self._throttle.next_read_at)
        return min(wake_at, self._next_snapshots_at()) if self._quiet_members() else wake_at

    def _next_snapshots_at(self) -> float:
        return self._snapshots_at + max(SNAPSHOT_SECONDS, SNAPSHOT_FACTOR * self._snapshots_cost)

    def _note_events(self, keys: Collection[str]) -> None:
        now = self._clock.monotonic()
        for key in keys:
            if key in self._members:
                self._members[key].event_at = self._members[key].changed_at = now
        self._due |= set(keys)

    def _find_due(self, now: float) -> set[str]:
        if self._quiet_members() and now >= self._next_snapshots_at():
            self._compare_snapshots()
        cost = self._throttle.cost
        due = {key for key, member in self._members.items() if now >= member.next_read_at(cost)}
        if any(self._is_quiet(self._members[key]) for key in due):  # one read of all is cheaper than one of each
            due |= {
                key
                for key, member in self._quiet_members().items()
                if 2 * now >= member.read_at + member.next_read_at(cost)
            }
        if self._due and now >= self._throttle.next_read_at:
            due |= self._due
            self._due = set()
        return due

    def _quiet_members(self) -> dict[str, _Member]:
        return {key: member for key, member in self._members.items() if self._is_quiet(member)}

    def _is_quiet(self, member: _Member) -> bool:
        polled = member.status is not None and member.status.needs_polling
        return polled and member.read_at - member.changed_at >= QUICK_PERIOD

    def _compare_snapshots(self) -> None:
        """Mark the quiet members whose processes do something else than at the last comparison."""
        began = self._clock.monotonic()
        members = {key: member for key, member in self._quiet_members().items() if member.workload}
        earlier = [member.snapshot for member in members.values()]
        workloads = [member.workload for member in members.values()]
        found = process_activity.take_snapshots(workloads, self._clock, earlier)
        for (key, member), before, snapshot in zip(members.items(), earlier, found, strict=True):
            member.snapshot = snapshot
            if before is not None and snapshot.differs_from(before, output=self._output):
                member.changed_at = began
                self._due.add(key)
        self._snapshots_at = self._clock.monotonic()
        self._snapshots_cost = self._snapshots_at - began

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
    """Return the processes whose end changes the state at once."""
    if evidence.root is None:
        return []
    pids = [evidence.pane.pid] if evidence.pane is not None else []
    return pids + ([evidence.agent_process.pid] if evidence.agent_process is not None else [])


def _differs(before: Status, now: Status) -> bool:
    return (before.session_state, before.waiting_for) != (now.session_state, now.waiting_for)
