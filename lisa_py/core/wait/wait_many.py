"""Waits for one or all of many sessions in one process: each is looked at when something happens to it, not before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.contract.status import TERMINAL_STATES, Status
from lisa_py.core.context import Context
from lisa_py.core.status import status_reader
from lisa_py.core.status.evidence_collector import Evidence
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.core.wait.transitions import Recorder
from lisa_py.core.wait.waiter import IGNORED_FILES
from lisa_py.host.file_events_many import open_watcher
from lisa_py.host.pane import Pane
from lisa_py.store.paths import SessionRef

ATTENTION_STATES = ("waiting_input", *TERMINAL_STATES)
"""States in which a session needs somebody."""
PANES_TICK = 3.0
"""Between two lists of panes: for what gives no sign of itself."""
SILENT_TICK, STILL_TICK = 0.25, 1.0
"""For sessions whose next change shows only on a closer look (pane text, processes, a limit of time)."""
STILL_SECONDS = 60.0
"""After so long without any news they are looked at less often."""
FULL_TICK = 20.0
SETTLE_TICK, SETTLE_SECONDS = 0.05, 0.5
"""After an event that changed nothing yet: another sign of the same thing is on its way."""
EVENT_REST, SILENT_REST, STILL_REST, PANES_REST, FULL_REST = 4, 20, 150, 500, 500
"""A look of that kind is followed by so many times its own length without one: the share of a core is bounded."""


class WaitCondition(Struct, frozen=True, kw_only=True):
    """What is waited for."""

    all_sessions: bool = False
    """All sessions, not just one."""
    states: Collection[str] = ATTENTION_STATES
    changed: bool = False
    """Only what has changed since the baseline counts."""
    timeout_seconds: float = 0.0
    """0: no limit."""


class WaitMember(Struct):
    """One session being waited for."""

    ref: SessionRef
    key: str
    socket: str
    status: Status
    mark: str
    """State, run and input in one word: what makes two looks the same."""
    baseline: str
    initial_state: str
    """State at the first look."""
    changed: bool = False
    last_event_at: float = 0.0
    """When something last happened to it."""
    pane: Pane | None = None

    def meets(self, condition: WaitCondition) -> bool:
        return self.status.session_state in condition.states and (self.changed or not condition.changed)


class WaitManyResult(Struct, frozen=True, kw_only=True):
    """How the waiting ended."""

    members: tuple[WaitMember, ...]
    met: tuple[WaitMember, ...]
    timed_out: bool
    elapsed: float
    reads: int


def session_key(ref: SessionRef) -> str:
    return f"{ref.session}@{ref.project.root}"


def wait(
    ctx: Context,
    refs: Sequence[SessionRef],
    condition: WaitCondition,
    *,
    baseline: Mapping[str, str] | None = None,
    emit: Callable[[WaitMember], None] = lambda member: None,
) -> WaitManyResult:
    """Block until one (or all) of the sessions are as wanted, or the time is over.

    `baseline` are the marks of an earlier wait: what changed in between counts as changed. `emit` is told of each
    change of state, and of a turn that was over before anybody looked. KeyboardInterrupt passes; the sessions go on.
    """
    run = _WaitRun(ctx, refs, condition, baseline, emit)
    try:
        return run.run()
    finally:
        run.close()


class _WaitRun:
    def __init__(
        self,
        ctx: Context,
        refs: Sequence[SessionRef],
        condition: WaitCondition,
        baseline: Mapping[str, str] | None,
        emit: Callable[[WaitMember], None],
    ) -> None:
        self._ctx, self._condition, self._emit = ctx, condition, emit
        self._baseline = baseline
        self._watcher = open_watcher(IGNORED_FILES)
        self._cache = PollCache()
        self._refs = {session_key(ref): ref for ref in refs}
        self._members: dict[str, WaitMember] = {}
        self._recorders: dict[str, Recorder] = {}
        self._due: set[str] = set()
        """Members with news that nobody has looked at yet."""
        self._began = self._read_at = self._silent_read_at = self._panes_listed_at = self._all_read_at = (
            ctx.clock.monotonic()
        )
        self._cost = 0.0
        """Seconds that the last look took."""
        self._panes_cost = 0.0
        self._read_all_cost = 0.0
        self._reads = 0

    def close(self) -> None:
        self._watcher.close()

    def run(self) -> WaitManyResult:
        for key, ref in self._refs.items():
            self._watcher.follow(key, [ref.folder], [])  # before the first look: what happens during it is not missed
        self._read_all()
        self._check_panes()
        deadline = self._began + self._condition.timeout_seconds if self._condition.timeout_seconds else float("inf")
        while True:
            now = self._ctx.clock.monotonic()
            met = tuple(member for member in self._members.values() if member.meets(self._condition))
            enough = len(met) == len(self._members) if self._condition.all_sessions else bool(met)
            if enough or now >= deadline:
                return self._make_result(met, timed_out=not enough)
            self._step(now, deadline)

    def _make_result(self, met: tuple[WaitMember, ...], *, timed_out: bool) -> WaitManyResult:
        return WaitManyResult(
            members=tuple(self._members.values()),
            met=met,
            timed_out=timed_out,
            elapsed=self._ctx.clock.monotonic() - self._began,
            reads=self._reads,
        )

    def _step(self, now: float, deadline: float) -> None:
        """Sleep until somebody has news or a beat is due, and look at those whom it concerns."""
        restless = {key for key, member in self._members.items() if now - member.last_event_at < SETTLE_SECONDS}
        silent = {key for key, member in self._members.items() if _needs_polling(member.status)}
        fresh = {key for key in silent if now - self._members[key].last_event_at < STILL_SECONDS}
        quick = self._read_at + max(SETTLE_TICK, EVENT_REST * self._cost)
        slow = self._read_at + max(SILENT_TICK, SILENT_REST * self._cost)
        still = self._silent_read_at + max(STILL_TICK, STILL_REST * self._read_all_cost)
        panes = self._panes_listed_at + max(PANES_TICK, PANES_REST * self._panes_cost)
        full = self._all_read_at + max(FULL_TICK, FULL_REST * self._read_all_cost)
        wake_times = [panes, full, deadline]
        wake_times += [quick] if self._due or restless else []
        wake_times += [slow] if fresh else []
        wake_times += [still] if silent else []
        woken = self._watcher.wait(min(wake_times) - now)
        now = self._ctx.clock.monotonic()
        for key in woken:
            self._members[key].last_event_at = now
        self._due |= woken
        if now >= full:
            self._read_all()
            return
        if now >= panes:
            self._due |= self._check_panes()
        chosen = self._due | (restless if now >= quick else set()) | (fresh if now >= slow else set())
        if now >= still:
            chosen |= silent
            self._silent_read_at = now
        if chosen and now >= quick:
            self._read_members(chosen)

    def _read_all(self) -> None:
        """Look at all."""
        self._read_members(self._refs)
        self._all_read_at = self._silent_read_at = self._read_at
        self._read_all_cost = self._cost

    def _read_members(self, keys: Collection[str]) -> None:
        """Look at some of the members."""
        clock = self._ctx.clock
        began = clock.monotonic()
        chosen = [key for key in self._refs if key in keys]
        found = status_reader.read_many(self._ctx, [self._refs[key] for key in chosen], cache=self._cache)
        for key, (evidence, status) in zip(chosen, found, strict=True):
            self._update_member(key, evidence, status)
        self._reads += 1
        self._read_at = clock.monotonic()
        self._cost = self._read_at - began
        self._due -= set(chosen)

    def _update_member(self, key: str, evidence: Evidence, status: Status) -> None:
        ref = self._refs[key]
        pids = [evidence.pane.pid] if evidence.pane is not None and evidence.root is not None else []
        self._watcher.follow(key, [ref.folder, *evidence.watch_paths], pids)
        mark = status_mark(evidence, status)
        member = self._members.get(key)
        if member is None:
            base = mark if self._baseline is None else self._baseline.get(key, "")
            self._members[key] = WaitMember(
                ref=ref,
                key=key,
                socket=self._ctx.server(ref).socket,
                status=status_reader.normalise_status(status),
                mark=mark,
                baseline=base,
                initial_state=status.session_state,
                changed=mark != base,
                last_event_at=self._ctx.clock.monotonic(),
            )
            return
        if mark != member.mark:
            recorder = self._recorders.setdefault(key, Recorder(self._ctx, ref))
            status = recorder.record(evidence, status)
            member.mark, member.changed, member.last_event_at = mark, True, self._ctx.clock.monotonic()
            member.status = status_reader.normalise_status(status)
            self._emit(member)
        else:
            member.status = status_reader.normalise_status(status)

    def _check_panes(self) -> set[str]:
        """Members whose pane is another one than at the last list, by one call for each server."""
        began = self._ctx.clock.monotonic()
        changed: set[str] = set()
        by_socket: dict[str, list[WaitMember]] = {}
        for member in self._members.values():
            by_socket.setdefault(member.socket, []).append(member)
        for socket, members in by_socket.items():
            try:
                panes = {pane.session: pane for pane in self._ctx.tmux(members[0].ref.project, socket).list_panes()}
            except TmuxUnavailable:
                changed |= {member.key for member in members}
                continue
            for member in members:
                pane = panes.get(member.ref.session)
                if _pane_key(pane) != _pane_key(member.pane):
                    changed.add(member.key)
                member.pane = pane
        self._panes_listed_at = self._ctx.clock.monotonic()
        self._panes_cost = self._panes_listed_at - began
        return changed


def status_mark(evidence: Evidence, status: Status) -> str:
    run = evidence.run_id
    input_at = max(evidence.state.last_input_at, evidence.prompted_at)
    return f"{status.session_state} {status.waiting_for} {run} {input_at:.3f}"


def _needs_polling(status: Status) -> bool:
    """No event will tell of the next change."""
    if status.session_state in ("just_started", "degraded"):
        return True
    if status.session_state != "in_progress":
        return False
    return status.state_source in ("title", "activity", "screen") or status.classification_reason == "prompt_pending"


def _pane_key(pane: Pane | None) -> tuple[object, ...]:
    return () if pane is None else (pane.pid, pane.dead, pane.title, pane.alternate)
