"""Killing sessions: the children first, each asked and then forced, and nothing left of it but its events."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.core.life import ending, leftovers
from lisa_py.core.life.ending import Run
from lisa_py.host.tmux import Pane
from lisa_py.store import events, fleet, folder, pruning, session
from lisa_py.store.fleet import Known
from lisa_py.store.places import NAME, Place, Project
from lisa_py.store.records import Unreadable

LOCK_SECONDS = 40
"""Longer than a spawn of the same name may take."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one session."""

    place: Place
    found: bool = False
    """tmux had it, or something of it still ran."""
    processes: int = 0
    error: str = ""


class Killed(Struct, frozen=True, kw_only=True):
    """What a kill did."""

    target: Outcome
    descendants: tuple[Outcome, ...] = ()
    """The deepest first."""
    elsewhere: int = 0
    """In how many other projects leftovers of the name were removed."""

    @property
    def errors(self) -> list[str]:
        return [outcome.error for outcome in (*self.descendants, self.target) if outcome.error]


class KilledAll(Struct, frozen=True, kw_only=True):
    """What killing all sessions of a project did."""

    outcomes: tuple[Outcome, ...]

    @property
    def killed(self) -> int:
        return sum(not outcome.error for outcome in self.outcomes)

    @property
    def errors(self) -> list[str]:
        return [outcome.error for outcome in self.outcomes if outcome.error]


def kill(ctx: Context, place: Place, *, all_hashes: bool = False) -> Killed:
    """End the session and all it has spawned, and remove their records but the events.

    Raises TmuxUnavailable when tmux cannot be asked; then nothing was touched.
    """
    ctx.server(place).pane(place.session)
    related = descendants(ctx, place, all_hashes=all_hashes)
    servers = [ctx.server(each) for each in (place, *related)]
    below = _end(ctx, related, "kill_descendant")
    target = _end(ctx, [place], "kill")[0]
    late = [known for known in descendants(ctx, place, all_hashes=all_hashes) if known not in related]
    below += _end(ctx, late, "kill_descendant")  # spawned while their parent was being killed
    elsewhere = leftovers.clean_elsewhere(ctx, place) if all_hashes else 0
    for server in {server.socket: server for server in servers}.values():
        _quietly(ctx, server.retire)
    _quietly(ctx, lambda: pruning.prune(ctx.settings, ctx.clock.now()))
    return Killed(target=target, descendants=tuple(below), elsewhere=elsewhere)


def kill_all(ctx: Context, project: Project, *, project_only: bool = False, all_hashes: bool = False) -> KilledAll:
    """End every session on the project's socket; with `project_only` those whose metadata says they are its own.

    Raises TmuxUnavailable.
    """
    names = sorted({pane.session for pane in ctx.tmux(project).panes() if NAME.match(pane.session)})
    every = [Place(project, name) for name in names]
    if project_only:
        own = {known.place.session for known in fleet.of_project(project).sessions}
        every = [place for place in every if place.session in own]
    outcomes = _end(ctx, every, "kill_all")
    for place in every if all_hashes else ():
        leftovers.clean_elsewhere(ctx, place)
    _quietly(ctx, ctx.tmux(project).retire)
    _quietly(ctx, lambda: pruning.prune(ctx.settings, ctx.clock.now()))
    return KilledAll(outcomes=tuple(outcomes))


# -- who hangs on whom --------------------------------------------------------------------------------------------


def descendants(ctx: Context, place: Place, *, all_hashes: bool = False) -> list[Place]:
    """Sessions that the session has spawned, and theirs: the deepest first.

    In its own project the parent's name links them; in other projects the parent's run id, which no namesake has.
    """
    every = [known for known in fleet.of_all(ctx.settings).sessions if known.meta.parent_session]
    order: list[Place] = []
    queue = [(place, _meta(place))]
    while queue:
        parent, meta = queue.pop(0)
        for known in every:
            new = known.place not in (place, *order)
            if new and _is_child(known, parent, meta, by_name=all_hashes):
                order.append(known.place)
                queue.append((known.place, known.meta))
    return order[::-1]


def _is_child(known: Known, parent: Place, meta: SessionMeta | None, *, by_name: bool) -> bool:
    if known.meta.parent_session != parent.session:
        return False
    run_id = known.meta.parent_run_id
    if run_id and meta is not None and run_id == meta.run_id:
        return True
    return by_name or known.place.project.hash == parent.project.hash


def _meta(place: Place) -> SessionMeta | None:
    try:
        return session.read_meta(place)
    except Unreadable:
        return None


# -- ending -------------------------------------------------------------------------------------------------------


class _Subject(Struct, frozen=True, kw_only=True):
    """One session that is being killed; its name's lock is held."""

    place: Place
    pane: Pane | None
    run: Run


def _end(ctx: Context, places: Sequence[Place], reason: str) -> list[Outcome]:
    """End sessions together, so that the grace is waited for once; the outcomes are in the order asked for."""
    outcomes: dict[Place, Outcome] = {}
    with contextlib.ExitStack() as locks:
        subjects: list[_Subject] = []
        for place in sorted(places, key=lambda place: place.folder):  # all who take many locks take them in order
            try:
                if not _is_there(ctx, place):
                    outcomes[place] = Outcome(place=place)
                    continue
                locks.enter_context(session.session_lock(place, ctx.settings, "name", timeout_ms=LOCK_SECONDS * 1000))
                pane = ctx.server(place).pane(place.session)
            except LisaError as problem:
                outcomes[place] = Outcome(place=place, found=True, error=f"{place.session}: {problem.message}")
                continue
            subjects.append(_Subject(place=place, pane=pane, run=ending.run_of(place, pane)))
        ended = ending.end(ctx, [subject.run for subject in subjects])
        for subject in subjects:
            outcomes[subject.place] = _finish(ctx, subject, ended, reason)
    return [outcomes[place] for place in places]


def _is_there(ctx: Context, place: Place) -> bool:
    """A name that nobody ever had leaves no trace."""
    recorded = folder.has_more_than_events(place) or folder.is_link(place)
    return recorded or ctx.server(place).pane(place.session) is not None


def _finish(ctx: Context, subject: _Subject, ended: ending.Ended, reason: str) -> Outcome:
    place = subject.place
    count = ended.count(subject.run)
    found = subject.pane is not None or count > 0
    error = ended.complaint(subject.run)
    if not error:
        try:
            if subject.pane is not None:
                ctx.server(place).kill_session(place.session)
            folder.empty(place)
        except (LisaError, OSError) as problem:
            error = str(problem)
    state, word = ("degraded", "error") if error else ("terminated", "success") if found else ("not_found", "not_found")
    _quietly(
        ctx,
        lambda: events.add(
            place,
            ctx.settings,
            ctx.clock.now(),
            type="lifecycle",
            state=state,
            status="idle",
            reason=f"{reason}_{word}",
        ),
    )
    if not error:
        folder.remove_locks(place)
    return Outcome(place=place, found=found, processes=count, error=f"{place.session}: {error}" if error else "")


def _quietly(ctx: Context, step: Callable[[], object]) -> None:
    try:
        step()
    except (LisaError, OSError) as problem:
        ctx.warn(f"observability warning: {problem}")
