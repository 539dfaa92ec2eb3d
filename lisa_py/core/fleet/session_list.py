"""Read the list of sessions once, or continuously as it changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import command_line
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import CancellationError
from lisa_py.contract.status import Status
from lisa_py.core.advice import target
from lisa_py.core.context import Context
from lisa_py.core.fleet import discover, list_items
from lisa_py.core.fleet.discover import LiveSessions, SessionWarning
from lisa_py.core.fleet.list_items import ListDelta, ListItem, LostSession, WorktreeItem
from lisa_py.host import files
from lisa_py.store import session_records, snapshots
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import Project, SessionRef

READ_SECONDS, READ_FACTOR, MAX_READ_SECONDS = 2.0, 200, 10.0
"""Interval of reading a list without an event; at least that multiple of what the last read took."""
FOLDER_KEY = ""
"""Member of the waiter that is the folder of all sessions."""


class ListQuery(Struct, frozen=True, kw_only=True):
    """Query of a session list."""

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
    worktrees: bool = False


class PrunePreview(Answer):
    """Command that removes the records of a missing session."""

    session: str
    project_root: str
    created_at: str
    meta_path: str
    prune_cmd: str


class SessionList(Struct, frozen=True, kw_only=True):
    """The list."""

    items: tuple[ListItem, ...]
    has_items: bool
    """True if more than names was requested."""
    historical: int | UnsetType = UNSET
    stale: tuple[str, ...] | UnsetType = UNSET
    prune: tuple[PrunePreview, ...] | UnsetType = UNSET
    delta: ListDelta | UnsetType = UNSET
    cursor_file: str | UnsetType = UNSET
    cursor_recovered: bool | UnsetType = UNSET
    """True if an unreadable cursor file was moved aside."""
    lost: tuple[LostSession, ...] = ()
    """Sessions whose agents were ended from outside."""
    worktrees: tuple[WorktreeItem, ...] = ()
    """Worktrees of these and the lost sessions, if they were requested."""
    warnings: tuple[SessionWarning, ...] = ()
    statuses: tuple[Status, ...] = ()
    """Status of each item, if the states were requested."""


def read_list(ctx: Context, project: Project, query: ListQuery) -> SessionList:
    """Return the current list.

    Raise LisaError: session_list_failed, invalid_cursor_file, cursor_file_write_failed.
    """
    path = _resolve_cursor_path(ctx, project, query)
    before, recovered = _read_previous(ctx, path, query)
    fleet = _discover_sessions(ctx, project, query)
    statuses = _read_statuses(ctx, fleet) if query.states or query.active_only else None
    items = _build_items(ctx, fleet, query, statuses)
    historical, gone = discover.find_stale_sessions(ctx, project, fleet) if query.stale else (0, [])
    if path:
        snapshots.write(path, list_items.build_cursor(items), ctx.clock.now())
    return SessionList(
        items=tuple(items),
        has_items=query.states or query.delta or query.all_sockets,
        historical=historical if query.stale else UNSET,
        stale=tuple(ref.session for ref in gone) if query.stale else UNSET,
        prune=tuple(_build_prune_preview(ctx, ref) for ref in gone) if query.prune_preview else UNSET,
        delta=list_items.compute_delta(before, items) if path else UNSET,
        cursor_file=path or UNSET,
        cursor_recovered=recovered,
        lost=_find_lost(ctx, fleet),
        worktrees=list_items.compare_worktrees(ctx, fleet.with_worktree) if query.worktrees else (),
        warnings=tuple(fleet.warnings),
        statuses=_sort_statuses(fleet, items, statuses or ()),
    )


def _find_lost(ctx: Context, fleet: LiveSessions) -> tuple[LostSession, ...]:
    if not fleet.absent:
        return ()
    from lisa_py.store.session_index import SessionIndexEntry  # noqa: PLC0415 - as in find_lost_sessions

    return list_items.find_lost_sessions(ctx, [SessionIndexEntry(ref, meta) for ref, meta in fleet.absent])


def _sort_statuses(fleet: LiveSessions, items: Sequence[ListItem], statuses: Sequence[Status]) -> tuple[Status, ...]:
    """Return the statuses in the order of the items."""
    known = {(ref.session, ref.project.root): each for ref, each in zip(fleet.refs, statuses, strict=False)}
    return tuple(known[key] for item in items if (key := (item.session, item.project_root)) in known)


def _read_previous(ctx: Context, path: str, query: ListQuery) -> tuple[list_items.ListCursor, bool | UnsetType]:
    """Return the last list, and True if an unreadable one was moved aside."""
    if not path:
        return list_items.ListCursor(), UNSET
    found, was_reset = snapshots.read_or_reset(path, list_items.ListCursor, query.cursor_reset, ctx.clock.now())
    return found, was_reset or UNSET


def _resolve_cursor_path(ctx: Context, project: Project, query: ListQuery) -> str:
    if not query.delta:
        return ""
    return files.absolute_path(query.cursor_file) if query.cursor_file else list_items.default_cursor_path(ctx, project)


def _discover_sessions(ctx: Context, project: Project, query: ListQuery) -> LiveSessions:
    return discover.find_live_sessions(ctx, project, all_sockets=query.all_sockets, project_only=query.project_only)


def _read_statuses(ctx: Context, fleet: LiveSessions) -> list[Status]:
    from lisa_py.core.status import status_reader  # noqa: PLC0415 - a list of names needs none of it

    return status_reader.read_status_list(ctx, fleet.refs, panes=fleet.panes)


def _build_items(
    ctx: Context, fleet: LiveSessions, query: ListQuery, statuses: Sequence[Status] | None
) -> list[ListItem]:
    items = []
    for index, ref in enumerate(fleet.refs):
        status = statuses[index] if statuses is not None else None
        if query.active_only and status is not None and status.session_state == "not_found":
            continue
        items.append(list_items.build_item(ref, _find_socket(ctx, fleet, ref), status if query.states else None))
    return list_items.sort_by_priority(items) if query.priority else items


def _find_socket(ctx: Context, fleet: LiveSessions, ref: SessionRef) -> str:
    """Return the socket of the session."""
    return ctx.server(ref).socket


def _build_prune_preview(ctx: Context, ref: SessionRef) -> PrunePreview:
    try:
        meta = session_records.read_meta(ref)
    except UnreadableRecord:
        meta = None
    root = ref.project.root
    line = command_line.build(
        "session kill",
        binary=target.detect_binary(ctx.settings, ctx.cwd),
        session=ref.session,
        project_root=root,
        json=True,
    )
    return PrunePreview(
        session=ref.session,
        project_root=root,
        created_at=meta.created_at if meta else "",
        meta_path=ref.meta,
        prune_cmd=str(line),
    )


def watch_list(ctx: Context, project: Project, query: ListQuery, interval: float) -> Iterator[SessionList]:
    """Yield the list at once, then at every change and every interval.

    Raise as `read_list`, and CancellationError.
    """
    from lisa_py.core.status import status_reader  # noqa: PLC0415 - as above
    from lisa_py.core.status.poll_cache import PollCache  # noqa: PLC0415 - as above
    from lisa_py.core.wait.waiter import Waiter  # noqa: PLC0415 - as above

    path = _resolve_cursor_path(ctx, project, query)
    (before, recovered), memory = _read_previous(ctx, path, query), PollCache()
    shown, reported_at = False, 0.0
    try:
        with Waiter(ctx) as waiter:
            waiter.follow(FOLDER_KEY, [f"{project.folder}/sessions"])
            while True:
                waiter.start_read()
                fleet = _discover_sessions(ctx, project, query)
                found = status_reader.read_many(ctx, fleet.refs, cache=memory, panes=fleet.panes)
                by_folder = {ref.folder: each for ref, each in zip(fleet.refs, found, strict=True)}
                waiter.unfollow_others(by_folder)
                now = waiter.finish_read(by_folder)
                items = _build_items(ctx, fleet, query, [status for _, status in found])
                changes = list_items.compute_delta(before, items)
                if not shown or changes.count or now - reported_at >= interval:
                    if path:
                        snapshots.write(path, list_items.build_cursor(items), ctx.clock.now())
                    before = list_items.build_cursor(items)
                    shown, reported_at = True, now
                    yield SessionList(
                        items=tuple(items),
                        has_items=True,
                        delta=changes,
                        cursor_file=path or UNSET,
                        cursor_recovered=recovered,
                        lost=_find_lost(ctx, fleet),
                        warnings=tuple(fleet.warnings),
                        statuses=_sort_statuses(fleet, items, [status for _, status in found]),
                    )
                    recovered = UNSET
                longest = max(READ_SECONDS, min(MAX_READ_SECONDS, READ_FACTOR * waiter.read_cost))
                waiter.wait(min(reported_at + interval - now, longest))
    except CancellationError:
        raise CancellationError("watching stopped; the sessions keep running") from None
