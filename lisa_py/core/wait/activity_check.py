"""Find the sessions without signals that may have changed, at a small part of the cost of a read."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from lisa_py import agents
from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.session_panes import PaneIndex, read_panes
from lisa_py.core.status import process_activity
from lisa_py.core.status.evidence import Evidence
from lisa_py.core.status.process_activity import ActivitySnapshot
from lisa_py.host import processes
from lisa_py.host.pane import Pane
from lisa_py.host.processes import Process
from lisa_py.host.tmux import Tmux

PANE_SOURCES = ("title", "screen")
"""Sources of a state that changes with the pane; the others follow the processes."""


class _ProcessCheck(Struct):
    """A member whose state follows its processes."""

    workload: tuple[Process, ...]
    counters: dict[str, bytes] = {}
    """Counted by the system for each thread: the same as long as it has not run."""
    snapshot: ActivitySnapshot | None = None


class _PaneCheck(Struct):
    """A member whose state follows its title or its screen."""

    server: Tmux
    session: str
    meta: SessionMeta | None
    agent: str
    shows_work: bool
    """Its output continues without end, so only the title counts."""
    key: tuple[object, ...]
    read_at: float
    """Wall-clock time of the last read; tmux dates output in whole seconds."""


class ActivityCheck:
    """Compare members with what they did at their last read, or at the last comparison."""

    def __init__(self, ctx: Context, *, output: bool) -> None:
        """`output`: the output of a process is a difference."""
        self._ctx = ctx
        self._output = output
        self._by_processes: dict[str, _ProcessCheck] = {}
        self._by_pane: dict[str, _PaneCheck] = {}
        self._servers: dict[str, Tmux] = {}

    @property
    def is_needed(self) -> bool:
        return bool(self._by_processes or self._by_pane)

    def update(self, key: str, evidence: Evidence, status: Status) -> None:
        """Compare the member with what was just read of it; not at all if events report every change."""
        checks_pane = status.needs_polling and status.state_source in PANE_SOURCES and evidence.pane is not None
        if checks_pane:
            self._by_processes.pop(key, None)
            self._by_pane[key] = self._start_pane_check(evidence, status)
            return
        self._by_pane.pop(key, None)
        if not status.needs_polling or not evidence.workload:
            self._by_processes.pop(key, None)
            return
        before = self._by_processes.get(key)
        if before is None:
            self._by_processes[key] = _ProcessCheck(evidence.workload)
        else:
            before.workload = evidence.workload

    def forget(self, key: str) -> None:
        self._by_processes.pop(key, None)
        self._by_pane.pop(key, None)

    def find_changed(self) -> set[str]:
        """Return the members that do something else."""
        return self._find_other_processes() | self._find_other_panes()

    # -- processes ---------------------------------------------------------------------------------------------

    def _find_other_processes(self) -> set[str]:
        """A process that has not run waits for the same as before and has started no other."""
        ran = {key: check for key, check in self._by_processes.items() if processes.have_run(check.counters)}
        if not ran:
            return set()
        for check in ran.values():  # before the snapshot, so that no run is missed
            known = check.snapshot.pids if check.snapshot is not None else ()
            check.counters = processes.read_run_counters(known)
        earlier = [check.snapshot for check in ran.values()]
        workloads = [check.workload for check in ran.values()]
        found = process_activity.take_snapshots(workloads, self._ctx.clock, earlier)
        changed = set()
        for (key, check), before, snapshot in zip(ran.items(), earlier, found, strict=True):
            check.snapshot = snapshot
            if before is None or snapshot.pids != before.pids:
                check.counters = {}
            if before is not None and snapshot.differs_from(before, output=self._output):
                changed.add(key)
        return changed

    # -- panes -------------------------------------------------------------------------------------------------

    def _start_pane_check(self, evidence: Evidence, status: Status) -> _PaneCheck:
        assert evidence.pane is not None
        shows_work = status.session_state == "in_progress" and status.state_source == "title"
        return _PaneCheck(
            server=self._servers.setdefault(evidence.socket, Tmux(evidence.socket, self._ctx.settings)),
            session=evidence.session,
            meta=evidence.meta,
            agent=evidence.agent,
            shows_work=shows_work,
            key=_pane_key(evidence.pane, evidence.agent, shows_work),
            read_at=self._ctx.clock.now(),
        )

    def _find_other_panes(self) -> set[str]:
        changed: set[str] = set()
        for server in {id(check.server): check.server for check in self._by_pane.values()}.values():
            members = {key: check for key, check in self._by_pane.items() if check.server is server}
            try:
                index = PaneIndex(_list_panes(members.values()))
            except TmuxUnavailable:
                changed |= members.keys()
                continue
            for key, check in members.items():
                if self._differs(check, index.find(check.session, check.meta)):
                    changed.add(key)
        return changed

    def _differs(self, check: _PaneCheck, pane: Pane | None) -> bool:
        if pane is None or _pane_key(pane, check.agent, check.shows_work) != check.key:
            return True
        second = int(check.read_at)  # output of the second of the read may have come after it
        return not check.shows_work and pane.activity >= second and self._ctx.clock.now() >= second + 1


def _list_panes(members: Collection[_PaneCheck]) -> list[Pane]:
    """Return the panes of members of one server. Raise TmuxUnavailable."""
    first = next(iter(members))
    if len(members) == 1:
        return read_panes(first.server, first.session, first.meta)
    return first.server.list_panes()


def _pane_key(pane: Pane, agent: str, shows_work: bool) -> tuple[object, ...]:
    title = agents.get_or_default(agent).summarize_title(pane.title)
    return pane.pid, pane.dead, pane.alternate, title, 0.0 if shows_work else pane.activity
