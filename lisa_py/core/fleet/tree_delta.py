"""Changes in the tree since the last call."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.core.context import Context
from lisa_py.core.fleet.tree import SessionTree, TreeQuery, TreeRow
from lisa_py.store import cursors, tree_cursors
from lisa_py.store.paths import Project

_STATE_FIELDS = ("status", "session_state", "waiting_for")


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
    before, recovery_path = tree_cursors.swap_edges(project, ctx.settings, ctx.clock.now(), query.scope, links)
    added = tuple(now[name] for name in sorted(links) if before.get(name) != links[name] or name not in before)
    gone = sorted(name for name in before if links.get(name) != before[name] or name not in links)
    removed = tuple(TreeRow(session=name.partition("@")[0], parent_session=before[name]) for name in gone)
    return TreeEdgeDelta(added=added or UNSET, removed=removed or UNSET, count=len(added) + len(removed)), recovery_path


class TreeCursorReport(Struct, frozen=True, kw_only=True):
    """The file that holds the sessions seen last."""

    path: str
    recovered: bool
    """Path an unreadable file was moved to."""


def compare_rows(
    ctx: Context, project: Project, query: TreeQuery, tree: SessionTree, cursor_file: str, *, reset: bool
) -> tuple[TreeRowDelta, TreeCursorReport]:
    """Compare with the cursor file, and update it; `reset` moves an unreadable one aside.

    Raise UsageError(invalid_cursor_file), LisaError(cursor_file_write_failed).
    """
    path = cursors.resolve_path(cursor_file) if cursor_file else tree_cursors.default_cursor_path(project, query.scope)
    stored = cursors.read_or_set_aside(tree_cursors.read_rows, path, reset, ctx.clock.now())
    last = stored or tree_cursors.TreeRowsCursor()
    before = {name: msgspec.convert(row, TreeRow) for name, row in last.rows.items()}
    now = {_row_name(row, project): row for row in tree.rows}
    states = query.with_state and last.with_state  # adding states is not a change of the sessions
    found = TreeRowDelta(
        added=tuple(now[name] for name in sorted(now.keys() - before.keys())),
        removed=tuple(before[name] for name in sorted(before.keys() - now.keys())),
        changed=tuple(now[name] for name in sorted(_list_changed(before, now, states))),
    )
    current = {name: msgspec.to_builtins(row) for name, row in now.items()}
    tree_cursors.write_rows(path, current, query.with_state, ctx.clock.now())
    count = len(found.added) + len(found.removed) + len(found.changed)
    return msgspec.structs.replace(found, count=count), TreeCursorReport(path=path, recovered=stored is None)


def _list_changed(before: Mapping[str, TreeRow], now: Mapping[str, TreeRow], states: bool) -> list[str]:
    return [
        name
        for name in before.keys() & now.keys()
        if _clear_states(before[name], states) != _clear_states(now[name], states)
    ]


def _clear_states(row: TreeRow, states: bool) -> TreeRow:
    return row if states else msgspec.structs.replace(row, **dict.fromkeys(_STATE_FIELDS, ""))


def _row_name(row: TreeRow, project: Project) -> str:
    """Return the name of the session, with the project if the name alone is ambiguous."""
    return row.session if row.project_root == project.root else f"{row.session}@{row.project_root}"
