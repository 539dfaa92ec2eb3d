"""Waits for one or all of many sessions in one process: each is looked at when something happens to it, not before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.contract.status import TERMINAL_STATES, Status
from lisa_py.core.context import Context
from lisa_py.core.watch import look
from lisa_py.core.watch.evidence import Evidence
from lisa_py.core.watch.memory import Memory
from lisa_py.core.watch.transitions import Recorder
from lisa_py.core.watch.waiting import NO_NEWS
from lisa_py.host.crowd import crowd
from lisa_py.host.pane import Pane
from lisa_py.store.places import Place

ATTENTION = ("waiting_input", *TERMINAL_STATES)
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


class Wanted(Struct, frozen=True, kw_only=True):
    """What is waited for."""

    every: bool = False
    """All sessions, not just one."""
    states: Collection[str] = ATTENTION
    changed: bool = False
    """Only what has changed since the baseline counts."""
    timeout_seconds: float = 0.0
    """0: no limit."""


class Member(Struct):
    """One session being waited for."""

    place: Place
    key: str
    socket: str
    status: Status
    mark: str
    """State, run and input in one word: what makes two looks the same."""
    baseline: str
    before: str
    """State at the first look."""
    changed: bool = False
    news_at: float = 0.0
    """When something last happened to it."""
    pane: Pane | None = None

    def meets(self, wanted: Wanted) -> bool:
        return self.status.session_state in wanted.states and (self.changed or not wanted.changed)


class Waited(Struct, frozen=True, kw_only=True):
    """How the waiting ended."""

    members: tuple[Member, ...]
    met: tuple[Member, ...]
    timed_out: bool
    elapsed: float
    looks: int


def key_of(place: Place) -> str:
    return f"{place.session}@{place.project.root}"


def wait(
    ctx: Context,
    places: Sequence[Place],
    wanted: Wanted,
    *,
    baseline: Mapping[str, str] | None = None,
    emit: Callable[[Member], None] = lambda member: None,
) -> Waited:
    """Block until one (or all) of the sessions are as wanted, or the time is over.

    `baseline` are the marks of an earlier wait: what changed in between counts as changed. `emit` is told of each
    change of state, and of a turn that was over before anybody looked. KeyboardInterrupt passes; the sessions go on.
    """
    watch = _Watch(ctx, places, wanted, baseline, emit)
    try:
        return watch.run()
    finally:
        watch.close()


class _Watch:
    def __init__(
        self,
        ctx: Context,
        places: Sequence[Place],
        wanted: Wanted,
        baseline: Mapping[str, str] | None,
        emit: Callable[[Member], None],
    ) -> None:
        self._ctx, self._wanted, self._emit = ctx, wanted, emit
        self._given = baseline
        self._crowd = crowd(NO_NEWS)
        self._memory = Memory()
        self._places = {key_of(place): place for place in places}
        self._members: dict[str, Member] = {}
        self._recorders: dict[str, Recorder] = {}
        self._due: set[str] = set()
        """Members with news that nobody has looked at yet."""
        self._began = self._looked = self._closely = self._listed = self._surveyed = ctx.clock.monotonic()
        self._cost = 0.0
        """Seconds that the last look took."""
        self._panes_cost = 0.0
        self._full_cost = 0.0
        self._looks = 0

    def close(self) -> None:
        self._crowd.close()

    def run(self) -> Waited:
        for key, place in self._places.items():
            self._crowd.follow(key, [place.folder], [])  # before the first look: what happens during it is not missed
        self._survey()
        self._check_panes()
        deadline = self._began + self._wanted.timeout_seconds if self._wanted.timeout_seconds else float("inf")
        while True:
            now = self._ctx.clock.monotonic()
            met = tuple(member for member in self._members.values() if member.meets(self._wanted))
            enough = len(met) == len(self._members) if self._wanted.every else bool(met)
            if enough or now >= deadline:
                return self._ended(met, timed_out=not enough)
            self._step(now, deadline)

    def _ended(self, met: tuple[Member, ...], *, timed_out: bool) -> Waited:
        return Waited(
            members=tuple(self._members.values()),
            met=met,
            timed_out=timed_out,
            elapsed=self._ctx.clock.monotonic() - self._began,
            looks=self._looks,
        )

    def _step(self, now: float, deadline: float) -> None:
        """Sleep until somebody has news or a beat is due, and look at those whom it concerns."""
        restless = {key for key, member in self._members.items() if now - member.news_at < SETTLE_SECONDS}
        silent = {key for key, member in self._members.items() if _is_silent(member.status)}
        fresh = {key for key in silent if now - self._members[key].news_at < STILL_SECONDS}
        quick = self._looked + max(SETTLE_TICK, EVENT_REST * self._cost)
        slow = self._looked + max(SILENT_TICK, SILENT_REST * self._cost)
        still = self._closely + max(STILL_TICK, STILL_REST * self._full_cost)
        panes = self._listed + max(PANES_TICK, PANES_REST * self._panes_cost)
        full = self._surveyed + max(FULL_TICK, FULL_REST * self._full_cost)
        beats = [panes, full, deadline]
        beats += [quick] if self._due or restless else []
        beats += [slow] if fresh else []
        beats += [still] if silent else []
        woken = self._crowd.wait(min(beats) - now)
        now = self._ctx.clock.monotonic()
        for key in woken:
            self._members[key].news_at = now
        self._due |= woken
        if now >= full:
            self._survey()
            return
        if now >= panes:
            self._due |= self._check_panes()
        chosen = self._due | (restless if now >= quick else set()) | (fresh if now >= slow else set())
        if now >= still:
            chosen |= silent
            self._closely = now
        if chosen and now >= quick:
            self._look(chosen)

    def _survey(self) -> None:
        """Look at all."""
        self._look(self._places)
        self._surveyed = self._closely = self._looked
        self._full_cost = self._cost

    def _look(self, keys: Collection[str]) -> None:
        """Look at some of the members."""
        clock = self._ctx.clock
        began = clock.monotonic()
        chosen = [key for key in self._places if key in keys]
        found = look.survey(self._ctx, [self._places[key] for key in chosen], memory=self._memory)
        for key, (evidence, status) in zip(chosen, found, strict=True):
            self._see(key, evidence, status)
        self._looks += 1
        self._looked = clock.monotonic()
        self._cost = self._looked - began
        self._due -= set(chosen)

    def _see(self, key: str, evidence: Evidence, status: Status) -> None:
        place = self._places[key]
        pids = [evidence.pane.pid] if evidence.pane is not None and evidence.root is not None else []
        self._crowd.follow(key, [place.folder, *evidence.watch_paths], pids)
        mark = mark_of(evidence, status)
        member = self._members.get(key)
        if member is None:
            base = mark if self._given is None else self._given.get(key, "")
            self._members[key] = Member(
                place=place,
                key=key,
                socket=self._ctx.server(place).socket,
                status=look.shown(status),
                mark=mark,
                baseline=base,
                before=status.session_state,
                changed=mark != base,
                news_at=self._ctx.clock.monotonic(),
            )
            return
        if mark != member.mark:
            recorder = self._recorders.setdefault(key, Recorder(self._ctx, place))
            status = recorder.see(evidence, status)
            member.mark, member.changed, member.news_at = mark, True, self._ctx.clock.monotonic()
            member.status = look.shown(status)
            self._emit(member)
        else:
            member.status = look.shown(status)

    def _check_panes(self) -> set[str]:
        """Members whose pane is another one than at the last list, by one call for each server."""
        began = self._ctx.clock.monotonic()
        changed: set[str] = set()
        by_socket: dict[str, list[Member]] = {}
        for member in self._members.values():
            by_socket.setdefault(member.socket, []).append(member)
        for socket, members in by_socket.items():
            try:
                panes = {pane.session: pane for pane in self._ctx.tmux(members[0].place.project, socket).panes()}
            except TmuxUnavailable:
                changed |= {member.key for member in members}
                continue
            for member in members:
                pane = panes.get(member.place.session)
                if _shape(pane) != _shape(member.pane):
                    changed.add(member.key)
                member.pane = pane
        self._listed = self._ctx.clock.monotonic()
        self._panes_cost = self._listed - began
        return changed


def mark_of(evidence: Evidence, status: Status) -> str:
    run = evidence.run_id
    told = max(evidence.state.last_input_at, evidence.prompted_at)
    return f"{status.session_state} {status.waiting_for} {run} {told:.3f}"


def _is_silent(status: Status) -> bool:
    """No event will tell of the next change."""
    if status.session_state in ("just_started", "degraded"):
        return True
    if status.session_state != "in_progress":
        return False
    return status.state_source in ("title", "activity", "screen") or status.classification_reason == "prompt_pending"


def _shape(pane: Pane | None) -> tuple[object, ...]:
    return () if pane is None else (pane.pid, pane.dead, pane.title, pane.alternate)
