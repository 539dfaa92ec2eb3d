"""Ending what sessions run: all below a pane and all that carries a run id, asked first, then forced."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.host import processes
from lisa_py.host.processes import Process
from lisa_py.host.tmux import Pane
from lisa_py.store import session
from lisa_py.store.places import Place
from lisa_py.store.records import Unreadable

GRACE_SECONDS = 3.0
"""For an agent to write its last words after TERM."""
FAREWELL_SECONDS = 1.0
"""For the supervisor to record the end once the agent is gone."""
FORCE_SECONDS = 3.0
_BEAT = 0.01


class Run(Struct, frozen=True, kw_only=True):
    """One run of one session, as far as its processes can be told by it."""

    place: Place
    run_id: str = ""
    roots: tuple[int, ...] = ()
    """Processes whose whole tree belongs to it."""


class Ended(Struct, frozen=True, kw_only=True):
    """Which processes were found of each run's place, and which of them could not be ended."""

    seen: dict[Place, dict[int, Process]]
    left: dict[Place, dict[int, Process]]

    def count(self, run: Run) -> int:
        return len(self.seen.get(run.place, ()))

    def complaint(self, run: Run) -> str:
        left = self.left.get(run.place)
        if not left:
            return ""
        named = ", ".join(f"{process.pid} ({process.name})" for process in left.values())
        return f"could not be ended: {named}; its records are kept"


def run_of(place: Place, pane: Pane | None) -> Run:
    """What is known of the session's processes from tmux, its metadata and its start record."""
    try:
        meta = session.read_meta(place)
        start = session.read_start(place)
    except (Unreadable, OSError):
        meta = start = None
    run_id = (meta.run_id if meta else "") or (start[0] if start else "")
    roots = {pane.pid} if pane is not None and not pane.dead else set()
    supervisor = processes.look(start[1]) if start else None
    if supervisor is not None and _is_ours(supervisor, place, meta):
        roots.add(supervisor.pid)
    return Run(place=place, run_id=run_id, roots=tuple(roots))


def _is_ours(supervisor: Process, place: Place, meta: SessionMeta | None) -> bool:
    """Process ids are used again: only the same start time or the session's folder in its arguments proves it."""
    if meta is not None and meta.pane_pid == supervisor.pid and meta.pane_started:
        return meta.pane_started == supervisor.started
    return place.folder in supervisor.argv


def end(ctx: Context, runs: Sequence[Run], *, grace: float = GRACE_SECONDS) -> Ended:
    """End all processes of the runs. One that has ended and that nobody has reaped counts as gone."""
    seen = _members(runs)
    first = [process for found in seen.values() for process in found.values()]
    folders = {run.place.folder for run in runs}
    asked = [process for process in first if not _supervises(process, folders)]
    for process in asked:
        _signal(process, signal.SIGTERM)
    _wait(ctx, asked, grace)
    if not any(_lives(process) for process in asked):
        _wait(ctx, first, FAREWELL_SECONDS)
    return Ended(seen=seen, left=_force(ctx, runs, seen) if first else {})


def _force(ctx: Context, runs: Sequence[Run], seen: dict[Place, dict[int, Process]]) -> dict[Place, dict[int, Process]]:
    """Kill what is left, looking anew each time: a dying process may have started another."""
    deadline = ctx.clock.monotonic() + FORCE_SECONDS
    while True:
        found = _members(runs, seen)
        rest = [process for group in found.values() for process in group.values()]
        if not rest or ctx.clock.monotonic() >= deadline:
            return found
        for place, group in found.items():
            seen.setdefault(place, {}).update(group)
        for process in rest:
            processes.send_signal(process, signal.SIGKILL)
        _wait(ctx, rest, 0.2)


def _members(
    runs: Sequence[Run], seen: Mapping[Place, Mapping[int, Process]] | None = None
) -> dict[Place, dict[int, Process]]:
    """All living processes of each run but this very one, by id; places without any are left out.

    What was seen before still counts, although its parents, by which it was known, may have ended meanwhile.
    """
    carriers = processes.carrying({f"LISA_RUN_ID={run.run_id}" for run in runs if run.run_id})
    found: dict[Place, dict[int, Process]] = {}
    for run in runs:
        group: dict[int, Process] = {}
        carrying = carriers.get(f"LISA_RUN_ID={run.run_id}", ())
        known = (process for process in (seen or {}).get(run.place, {}).values() if _lives(process))
        for root in (*run.roots, *(process.pid for process in (*carrying, *known))):
            if root not in group:
                group.update((process.pid, process) for process in processes.tree(root) if process.alive)
        if group.pop(processes.own_pid(), None) is not None:
            processes.shield()
        if group:
            found[run.place] = group
    return found


def _supervises(process: Process, folders: Iterable[str]) -> bool:
    """The shells that watch over a command end by themselves, and record how it went."""
    return any(folder in process.argv[2:3] for folder in folders)


def _signal(process: Process, number: signal.Signals) -> None:
    if processes.send_signal(process, number) and process.state == "T":
        processes.send_signal(process, signal.SIGCONT)  # a stopped process takes nothing but KILL


def _wait(ctx: Context, some: Sequence[Process], seconds: float) -> None:
    deadline = ctx.clock.monotonic() + seconds
    left = [process for process in some if _lives(process)]
    while left and ctx.clock.monotonic() < deadline:
        ctx.clock.sleep(_BEAT)
        left = [process for process in left if _lives(process)]


def _lives(process: Process) -> bool:
    return processes.same(process.pid, process.started)
