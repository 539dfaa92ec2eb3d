"""What is new in the tree since it was last looked at."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.core.context import Context
from lisa_py.core.life.tree import Row, Tree, Wanted
from lisa_py.store import cursors, tree_memory
from lisa_py.store.places import Project

_STATE = ("status", "session_state", "waiting_for")


class Edges(Struct, frozen=True, kw_only=True):
    """Links that came and went; a session with another parent is both."""

    added: tuple[Row, ...] | UnsetType = UNSET
    removed: tuple[Row, ...] | UnsetType = UNSET
    count: int = 0


class Rows(Struct, frozen=True, kw_only=True):
    """Sessions that came, went, or changed; changed ones as they are now."""

    added: tuple[Row, ...] = ()
    removed: tuple[Row, ...] = ()
    changed: tuple[Row, ...] = ()
    count: int = 0


def edges(ctx: Context, project: Project, wanted: Wanted, tree: Tree) -> tuple[Edges, str]:
    """Compare with the last `--delta` of the same view, and remember this one.

    The second value says where an unreadable snapshot went. Raises LisaError(session_tree_delta_failed).
    """
    now = {_name(row, project): row for row in tree.rows}
    links = {name: row.parent_session for name, row in now.items()}
    before, aside = tree_memory.swap_edges(project, ctx.settings, ctx.clock.now(), wanted.scope, links)
    added = tuple(now[name] for name in sorted(links) if before.get(name) != links[name] or name not in before)
    gone = sorted(name for name in before if links.get(name) != before[name] or name not in links)
    removed = tuple(Row(session=name.partition("@")[0], parent_session=before[name]) for name in gone)
    return Edges(added=added or UNSET, removed=removed or UNSET, count=len(added) + len(removed)), aside


class Cursor(Struct, frozen=True, kw_only=True):
    """The file that holds the sessions seen last."""

    path: str
    recovered: bool
    """It was unreadable and was set aside."""


def rows(
    ctx: Context, project: Project, wanted: Wanted, tree: Tree, cursor_file: str, *, reset: bool
) -> tuple[Rows, Cursor]:
    """Compare with what the cursor file holds, and write it anew; `reset` sets an unreadable one aside.

    Raises UsageError(invalid_cursor_file), LisaError(cursor_file_write_failed).
    """
    path = cursors.located(cursor_file) if cursor_file else tree_memory.default_cursor(project, wanted.scope)
    kept_rows = cursors.or_reset(tree_memory.read_rows, path, reset, ctx.clock.now())
    last = kept_rows or tree_memory.Rows()
    before = {name: msgspec.convert(row, Row) for name, row in last.rows.items()}
    now = {_name(row, project): row for row in tree.rows}
    states = wanted.with_state and last.with_state  # switching states on is no change of the sessions
    found = Rows(
        added=tuple(now[name] for name in sorted(now.keys() - before.keys())),
        removed=tuple(before[name] for name in sorted(before.keys() - now.keys())),
        changed=tuple(now[name] for name in sorted(_changed(before, now, states))),
    )
    kept = {name: msgspec.to_builtins(row) for name, row in now.items()}
    tree_memory.write_rows(path, kept, wanted.with_state, ctx.clock.now())
    count = len(found.added) + len(found.removed) + len(found.changed)
    return msgspec.structs.replace(found, count=count), Cursor(path=path, recovered=kept_rows is None)


def _changed(before: Mapping[str, Row], now: Mapping[str, Row], states: bool) -> list[str]:
    return [name for name in before.keys() & now.keys() if _face(before[name], states) != _face(now[name], states)]


def _face(row: Row, states: bool) -> Row:
    return row if states else msgspec.structs.replace(row, **dict.fromkeys(_STATE, ""))


def _name(row: Row, project: Project) -> str:
    """The session's name, with the project where a name alone would not do."""
    return row.session if row.project_root == project.root else f"{row.session}@{row.project_root}"
