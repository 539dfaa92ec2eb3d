"""Wait for one or all of many sessions in one process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import TERMINAL_STATES, Status
from lisa_py.core.context import Context
from lisa_py.core.session_panes import PaneIndex
from lisa_py.core.status import status_reader
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.poll_cache import PollCache
from lisa_py.core.wait.transitions import Recorder
from lisa_py.core.wait.waiter import Waiter
from lisa_py.host.pane import Pane
from lisa_py.store.paths import SessionRef

ATTENTION_STATES = ("waiting_input", *TERMINAL_STATES)
"""States in which a session needs attention."""
PANES_SECONDS, COST_FACTOR = 3.0, 500
"""Interval of listing the panes, for changes that are no events; at least a multiple of its CPU time."""


class WaitCondition(Struct, frozen=True, kw_only=True):
    """Condition of a wait."""

    all_sessions: bool = False
    """All sessions, not any one."""
    states: Collection[str] = ATTENTION_STATES
    changed: bool = False
    """Only sessions that changed since the baseline count."""
    timeout_seconds: float = 0.0
    """0: no limit."""


class WaitMember(Struct):
    """One session being waited for."""

    ref: SessionRef
    key: str
    socket: str
    status: Status
    mark: str
    """Key of state, run and input; it changes with any of them."""
    baseline: str
    initial_state: str
    """State at the first read."""
    changed: bool = False
    pane: Pane | None = None
    meta: SessionMeta | None = None

    def meets(self, condition: WaitCondition) -> bool:
        return self.status.session_state in condition.states and (self.changed or not condition.changed)


class WaitManyResult(Struct, frozen=True, kw_only=True):
    """Outcome of a wait."""

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
    """Block until one (or all) of the sessions meet the condition, or the time is up.

    `baseline` holds the marks of an earlier wait, so that changes in between count. `emit` is called for each change
    of state, and for a turn that ended between two reads. Raise CancellationError as soon as the caller cancels.
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
        self._waiter = Waiter(ctx)
        self._cache = PollCache()
        self._refs = {session_key(ref): ref for ref in refs}
        self._members: dict[str, WaitMember] = {}
        self._recorders: dict[str, Recorder] = {}
        self._began = self._panes_listed_at = ctx.clock.monotonic()
        self._panes_cost = 0.0
        self._reads = 0

    def close(self) -> None:
        self._waiter.close()

    def run(self) -> WaitManyResult:
        for key, ref in self._refs.items():
            self._waiter.follow(key, [ref.folder])  # before the first read, so that no change is missed
        self._read_members(self._refs)
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
        """Sleep until a session has to be read, the panes are to be listed or the time is up; read what is due."""
        panes_at = self._panes_listed_at + max(PANES_SECONDS, COST_FACTOR * self._panes_cost)
        due = self._waiter.wait(min(panes_at, deadline) - now)
        if self._ctx.clock.monotonic() >= panes_at:
            due |= self._check_panes()
        if due:
            self._read_members(due)

    def _read_members(self, keys: Collection[str]) -> None:
        chosen = [key for key in self._refs if key in keys]
        self._waiter.start_read()
        found = status_reader.read_many(self._ctx, [self._refs[key] for key in chosen], cache=self._cache)
        self._waiter.finish_read(dict(zip(chosen, found, strict=True)))
        for key, (evidence, status) in zip(chosen, found, strict=True):
            self._update_member(key, evidence, status)
        self._reads += 1

    def _update_member(self, key: str, evidence: Evidence, status: Status) -> None:
        ref = self._refs[key]
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
                meta=evidence.meta,
            )
            return
        member.meta = evidence.meta
        if mark != member.mark:
            recorder = self._recorders.setdefault(key, Recorder(self._ctx, ref))
            status = recorder.record(evidence, status)
            member.mark, member.changed = mark, True
            member.status = status_reader.normalise_status(status)
            self._emit(member)
        else:
            member.status = status_reader.normalise_status(status)

    def _check_panes(self) -> set[str]:
        """Return the members whose pane differs from the last list, with one call per server."""
        began = self._ctx.clock.cpu()
        changed: set[str] = set()
        by_socket: dict[str, list[WaitMember]] = {}
        for member in self._members.values():
            by_socket.setdefault(member.socket, []).append(member)
        for socket, members in by_socket.items():
            try:
                panes = PaneIndex(self._ctx.list_panes(members[0].ref.project, socket))
            except TmuxUnavailable:
                changed |= {member.key for member in members}
                continue
            for member in members:
                pane = panes.find(member.ref.session, member.meta)
                if _pane_key(pane) != _pane_key(member.pane):
                    changed.add(member.key)
                member.pane = pane
        self._panes_listed_at = self._ctx.clock.monotonic()
        self._panes_cost = self._ctx.clock.cpu() - began
        return changed


def status_mark(evidence: Evidence, status: Status) -> str:
    run = evidence.run_id
    input_at = max(evidence.state.last_input_at, evidence.prompted_at)
    return f"{status.session_state} {status.waiting_for} {run} {input_at:.3f}"


def _pane_key(pane: Pane | None) -> tuple[object, ...]:
    return () if pane is None else (pane.pid, pane.dead, pane.title, pane.alternate)
