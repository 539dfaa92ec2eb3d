"""Changes in the tree since the last call."""

from __future__ import annotations

import os

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.fleet.tree import SessionTree, TreeQuery, TreeRow
from lisa_py.store import cursors, snapshots
from lisa_py.store.paths import Project

_STATE_FIELDS = ("status", "session_state", "program_status", "waiting_for")


class TreeEdgesSnapshot(Struct, kw_only=True):
    """`tree-delta.json`: per view (session filter and switches), session -> parent."""

    views: dict[str, dict[str, str]] = {}


class TreeRowsCursor(Struct, kw_only=True, rename="camel"):
    """A cursor file: the rows shown last."""

    updated_at: str = ""
    with_state: bool = False
    rows: dict[str, TreeRow] = {}


class TreeEdgeDelta(Struct, frozen=True, kw_only=True):
    """Added and removed links; a session with another parent is in both."""

    added: tuple[TreeRow, ...] | UnsetType = UNSET
    removed: tuple[TreeRow, ...] | UnsetType = UNSET
    count: int = 0


class TreeRowDelta(Struct, frozen=True, kw_only=True):
    """Added, removed and changed sessions; changed ones as they are now."""

    added: tuple[TreeRow, ...] = ()
    removed: tuple[TreeRow, ...] = ()
    changed: tuple[TreeRow, ...] = ()
    count: int = 0


def compare_edges(ctx: Context, project: Project, query: TreeQuery, tree: SessionTree) -> tuple[TreeEdgeDelta, str]:
    """Compare with the last `--delta` of the same view, and store this one.

    The second value is the path an unreadable snapshot was moved to. Raise LisaError(session_tree_delta_failed).
    """
    now = {_row_name(row, project): row for row in tree.rows}
    links = {name: row.parent_session for name, row in now.items()}
    path = os.path.join(project.folder, "cursors", "tree-delta.json")
    try:
        last, recovery_path = snapshots.change(
            path,
            TreeEdgesSnapshot,
            ctx.settings,
            ctx.clock.now(),
            lambda stored: TreeEdgesSnapshot(views={**stored.views, query.scope: links}),
        )
    except LisaError as problem:
        raise LisaError("session_tree_delta_failed", problem.message) from problem
    before = last.views.get(query.scope, {})
    added = tuple(now[name] for name in sorted(links) if before.get(name) != links[name] or name not in before)
    gone = sorted(name for name in before if links.get(name) != before[name] or name not in links)
    removed = tuple(TreeRow(session=name.partition("@")[0], parent_session=before[name]) for name in gone)
    return TreeEdgeDelta(added=added or UNSET, removed=removed or UNSET, count=len(added) + len(removed)), recovery_path


class TreeCursorReport(Struct, frozen=True, kw_only=True):
    """The file that holds the sessions seen last."""

    path: str
    recovered: bool
    """True if an unreadable file was moved aside."""


def compare_rows(
    ctx: Context, project: Project, query: TreeQuery, tree: SessionTree, cursor_file: str, *, reset: bool
) -> tuple[TreeRowDelta, TreeCursorReport]:
    """Compare with the cursor file, and update it; `reset` moves an unreadable one aside.

    Raise UsageError(invalid_cursor_file), LisaError(cursor_file_write_failed).
    """
    default_path = os.path.join(project.folder, "cursors", f"tree-{query.scope}.json")
    path = cursors.resolve_path(cursor_file) if cursor_file else default_path
    last, was_reset = snapshots.read_or_reset(path, TreeRowsCursor, reset, ctx.clock.now())
    now = {_row_name(row, project): row for row in tree.rows}
    states = query.with_state and last.with_state  # adding states is not a change of the sessions
    changes = snapshots.compare(last.rows, now, lambda row: _clear_states(row, states))
    found = TreeRowDelta(
        added=tuple(now[name] for name in changes.added),
        removed=tuple(last.rows[name] for name in changes.removed),
        changed=tuple(now[name] for name in changes.changed),
        count=changes.count,
    )
    snapshots.write(path, TreeRowsCursor(with_state=query.with_state, rows=now), ctx.clock.now())
    return found, TreeCursorReport(path=path, recovered=was_reset)


def _clear_states(row: TreeRow, states: bool) -> TreeRow:
    row = msgspec.structs.replace(row, last_input_from="")
    return row if states else msgspec.structs.replace(row, lost=False, **dict.fromkeys(_STATE_FIELDS, ""))


def _row_name(row: TreeRow, project: Project) -> str:
    """Return the name of the session, with the project if the name alone is ambiguous."""
    return row.session if row.project_root == project.root else f"{row.session}@{row.project_root}"
