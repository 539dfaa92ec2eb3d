"""Reads the list of sessions once, or again and again as it changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.advice import listing, next_action
from lisa_py.core.advice.listing import Delta, Item
from lisa_py.core.context import Context
from lisa_py.core.watch import fleet as fleets
from lisa_py.core.watch.fleet import Fleet, Warned
from lisa_py.host import files
from lisa_py.store import cursors, session
from lisa_py.store.places import Place, Project
from lisa_py.store.records import Unreadable

if TYPE_CHECKING:  # a list of names needs none of it
    from lisa_py.core.watch.evidence import Evidence

QUICK_TICK = 0.25
"""Between two looks while something works whose end gives no sign."""
TICK = 1.0


class Asked(Struct, frozen=True, kw_only=True):
    """What the caller wants to know."""

    all_sockets: bool = False
    project_only: bool = False
    active_only: bool = False
    states: bool = False
    priority: bool = False
    stale: bool = False
    prune_preview: bool = False
    delta: bool = False
    cursor_file: str = ""
    cursor_reset: bool = False


class Prune(Struct, frozen=True, kw_only=True, rename="camel"):
    """How the records of a session that is gone would be removed."""

    session: str
    project_root: str
    created_at: str
    meta_path: str
    prune_cmd: str


class Roster(Struct, frozen=True, kw_only=True):
    """The list."""

    items: tuple[Item, ...]
    has_items: bool
    """More than names was asked for."""
    historical: int | UnsetType = UNSET
    stale: tuple[str, ...] | UnsetType = UNSET
    prune: tuple[Prune, ...] | UnsetType = UNSET
    delta: Delta | UnsetType = UNSET
    cursor_file: str | UnsetType = UNSET
    cursor_recovered: bool | UnsetType = UNSET
    """The cursor file was unreadable and was set aside."""
    warnings: tuple[Warned, ...] = ()


def read(ctx: Context, project: Project, asked: Asked) -> Roster:
    """The list as it is now.

    Raises LisaError: session_list_failed, invalid_cursor_file, cursor_file_write_failed.
    """
    path = _cursor(ctx, project, asked)
    before, recovered = _before(ctx, path, asked)
    fleet = _fleet(ctx, project, asked)
    items = _items(ctx, fleet, asked, _states(ctx, fleet) if asked.states or asked.active_only else None)
    historical, gone = fleets.stale(ctx, project, fleet) if asked.stale else (0, [])
    if path:
        listing.remember(path, items, ctx.clock.now())
    return Roster(
        items=tuple(items),
        has_items=asked.states or asked.delta or asked.all_sockets,
        historical=historical if asked.stale else UNSET,
        stale=tuple(place.session for place in gone) if asked.stale else UNSET,
        prune=tuple(_prune(ctx, place) for place in gone) if asked.prune_preview else UNSET,
        delta=listing.delta(before, items) if path else UNSET,
        cursor_file=path or UNSET,
        cursor_recovered=recovered,
        warnings=tuple(fleet.warnings),
    )


def _before(ctx: Context, path: str, asked: Asked) -> tuple[listing.Memory, bool | UnsetType]:
    """The last list, and whether an unreadable one had to be set aside."""
    if not path:
        return listing.Memory(), UNSET
    found = cursors.or_reset(listing.remembered, path, asked.cursor_reset, ctx.clock.now())
    return found or listing.Memory(), True if found is None else UNSET


def _cursor(ctx: Context, project: Project, asked: Asked) -> str:
    if not asked.delta:
        return ""
    return files.absolute(asked.cursor_file) if asked.cursor_file else listing.default_path(ctx, project)


def _fleet(ctx: Context, project: Project, asked: Asked) -> Fleet:
    return fleets.live(ctx, project, all_sockets=asked.all_sockets, project_only=asked.project_only)


def _states(ctx: Context, fleet: Fleet) -> list[Status]:
    from lisa_py.core.watch import look  # noqa: PLC0415 - a list of names needs none of it

    return look.each(ctx, fleet.places, panes=fleet.panes)


def _items(ctx: Context, fleet: Fleet, asked: Asked, states: Sequence[Status] | None) -> list[Item]:
    items = []
    for index, place in enumerate(fleet.places):
        status = states[index] if states is not None else None
        if asked.active_only and status is not None and status.session_state == "not_found":
            continue
        items.append(listing.item(place, _socket(ctx, fleet, place), status if asked.states else None))
    return listing.by_priority(items) if asked.priority else items


def _socket(ctx: Context, fleet: Fleet, place: Place) -> str:
    """Where the session was seen."""
    if any(pane.session == place.session for pane in fleet.panes.get(place.project.socket, ())):
        return place.project.socket
    return ctx.server(place).socket


def _prune(ctx: Context, place: Place) -> Prune:
    try:
        meta = session.read_meta(place)
    except Unreadable:
        meta = None
    binary = next_action.binary(ctx.settings, ctx.cwd)
    root = place.project.root
    return Prune(
        session=place.session,
        project_root=root,
        created_at=meta.created_at if meta else "",
        meta_path=place.meta,
        prune_cmd=next_action.kill_command(place.session, root, binary),
    )


def watch(ctx: Context, project: Project, asked: Asked, interval: float) -> Iterator[Roster]:
    """The list at once, then at every change and every interval; in one process, woken by what happens.

    Raises as read, and LisaError(interrupted) on Ctrl-C.
    """
    from lisa_py.core.watch import look  # noqa: PLC0415 - as above
    from lisa_py.core.watch.memory import Memory  # noqa: PLC0415 - as above
    from lisa_py.core.watch.waiting import Pace, Waiter  # noqa: PLC0415 - as above

    path = _cursor(ctx, project, asked)
    (before, recovered), memory = _before(ctx, path, asked), Memory()
    shown, told_at = False, 0.0
    try:
        with Waiter(ctx, [f"{project.folder}/sessions"]) as waiter:
            while True:
                pace = Pace(ctx.clock)
                fleet = _fleet(ctx, project, asked)
                found = look.survey(ctx, fleet.places, memory=memory, panes=fleet.panes)
                waiter.watch(*_signs(project, fleet, found))
                items = _items(ctx, fleet, asked, [status for _, status in found])
                news = listing.delta(before, items)
                now = pace.looked()
                if not shown or news.count or now - told_at >= interval:
                    listing.remember(path, items, ctx.clock.now())
                    before = listing.Memory(items={listing.key(each): each for each in items})
                    shown, told_at = True, now
                    yield Roster(
                        items=tuple(items),
                        has_items=True,
                        delta=news,
                        cursor_file=path,
                        cursor_recovered=recovered,
                        warnings=tuple(fleet.warnings),
                    )
                    recovered = UNSET
                tick = QUICK_TICK if any(_unheard(status) for _, status in found) else TICK
                if waiter.wait(max(0.0, min(told_at + interval - now, tick))):
                    pace.rest()
    except KeyboardInterrupt:
        raise LisaError("interrupted", "stopped watching; the sessions go on", exit_code=130) from None


def _unheard(status: Status) -> bool:
    """Whether the session works and its next change may come without an event."""
    works = status.session_state in ("in_progress", "just_started")
    return works and status.state_source not in ("agent_file", "hook", "transcript")


def _signs(project: Project, fleet: Fleet, found: Sequence[tuple[Evidence, Status]]) -> tuple[list[str], list[int]]:
    paths = [f"{project.folder}/sessions"]
    pids = []
    for evidence, _ in found:
        paths += [evidence.folder, *evidence.watch_paths]
        if evidence.pane is not None and evidence.root is not None:
            pids.append(evidence.pane.pid)
    return paths, pids
