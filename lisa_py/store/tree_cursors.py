"""What `session tree` showed last: one snapshot of edges per view, and cursor files with whole rows."""

from __future__ import annotations

import os
from typing import Any

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.env import Settings
from lisa_py.store import cursors
from lisa_py.store.json_records import UnreadableRecord, load, recover, save
from lisa_py.store.paths import Project
from lisa_py.store.record import StoreRecord


class TreeEdgesSnapshot(Struct, kw_only=True):
    """`tree-delta.json`: per view (session filter and switches), session -> parent."""

    views: dict[str, dict[str, str]] = {}


class TreeRowsCursor(Struct, kw_only=True, rename="camel"):
    """A cursor file: the rows shown last."""

    updated_at: str = ""
    with_state: bool = False
    rows: dict[str, dict[str, Any]] = {}


def _cursor_folder(project: Project) -> str:
    return os.path.join(project.folder, "cursors")


def swap_edges(
    project: Project, settings: Settings, now: float, view: str, edges: dict[str, str]
) -> tuple[dict[str, str], str]:
    """Keep the edges shown now; answers those shown before, and where an unreadable snapshot was moved to.

    Raises LisaError(session_tree_delta_failed).
    """
    path = os.path.join(_cursor_folder(project), "tree-delta.json")
    try:
        files.ensure_private_dir(_cursor_folder(project))
        with files.lock(path + ".lock", timeout_ms=settings.state_lock_timeout_ms):
            found, aside = recover(path, TreeEdgesSnapshot, now)
            before = found or TreeEdgesSnapshot()
            save(path, TreeEdgesSnapshot(views={**before.views, view: edges}))
            return before.views.get(view, {}), aside
    except LisaError as problem:
        raise LisaError("session_tree_delta_failed", problem.message) from problem


def default_cursor_path(project: Project, view: str) -> str:
    return os.path.join(_cursor_folder(project), f"tree-{view}.json")


def read_rows(path: str) -> TreeRowsCursor:
    """The rows shown last; none when the file is missing or blank. Raises UsageError(invalid_cursor_file)."""
    try:
        if not (files.read(path) or b"").strip():
            return TreeRowsCursor()
        return load(path, TreeRowsCursor) or TreeRowsCursor()
    except (UnreadableRecord, OSError) as problem:
        raise cursors.unusable_cursor_error(problem) from None


def write_rows(path: str, rows: dict[str, dict[str, Any]], with_state: bool, now: float) -> None:
    """Raises LisaError(cursor_file_write_failed)."""
    try:
        folder = os.path.dirname(path)
        if not files.is_dir(folder):
            files.ensure_private_dir(folder)
        save(path, TreeRowsCursor(updated_at=format_rfc3339(now), with_state=with_state, rows=rows))
    except LisaError as problem:
        raise LisaError("cursor_file_write_failed", problem.message) from problem


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
