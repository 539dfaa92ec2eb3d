"""Items of a session list: state, next action, urgency, and changes since the last list."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.advice import next_action, priority
from lisa_py.core.context import Context
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import cursors
from lisa_py.store.json_records import UnreadableRecord, load, save
from lisa_py.store.paths import Project, SessionRef


class ListItem(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    session: str
    status: str | UnsetType = UNSET
    session_state: str | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET
    next_action: str | UnsetType = UNSET
    priority_score: int | UnsetType = UNSET
    priority_label: str | UnsetType = UNSET
    project_root: str | UnsetType = UNSET
    socket_path: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


class ListDelta(Struct, frozen=True, kw_only=True):
    """Changes since the last list; a changed session is shown as it is now."""

    added: tuple[ListItem, ...]
    removed: tuple[ListItem, ...]
    changed: tuple[ListItem, ...]
    count: int


class ListCursor(Struct, kw_only=True, rename="camel"):
    """The cursor file: the last list."""

    updated_at: str = ""
    items: dict[str, ListItem] = {}


def build_item(ref: SessionRef, socket: str, status: Status | None) -> ListItem:
    """One session; with a status also the cause of waiting."""
    if status is None:
        return ListItem(session=ref.session, project_root=ref.project.root, socket_path=socket)
    score, label = priority.session_priority(status.session_state)
    return ListItem(
        session=ref.session,
        status=status.status_word(),
        session_state=status.session_state,
        waiting_for=status.waiting_for or UNSET,
        next_action=next_action.name_for_state(status.session_state),
        priority_score=score,
        priority_label=label,
        project_root=ref.project.root,
        socket_path=socket,
        error_code=status.error_code,
    )


def sort_by_priority(items: Sequence[ListItem]) -> list[ListItem]:
    """Sort by urgency, then by name."""
    return sorted(items, key=lambda each: (-(each.priority_score or 0), each.session))


def default_cursor_path(ctx: Context, project: Project) -> str:
    return os.path.join(ctx.settings.shared_dir, f".lisa-{project.hash}-list-delta.json")


def load_cursor(path: str) -> ListCursor:
    """Return the last list; empty if none. Raise UsageError(invalid_cursor_file)."""
    try:
        if files.exists(path) and not files.is_own_file(path):
            raise UnreadableRecord(f"{path} is not a plain file of this user")
        raw = files.read(path)
        if raw is not None and not raw.strip():
            return ListCursor()
        return load(path, ListCursor) or ListCursor()
    except (UnreadableRecord, OSError) as problem:
        raise cursors.unusable_cursor_error(problem) from None


def save_cursor(path: str, items: Sequence[ListItem], now: float) -> None:
    """Store the list. Raise LisaError(cursor_file_write_failed)."""
    try:
        folder = os.path.dirname(path)
        if not files.is_dir(folder):
            files.ensure_private_dir(folder)
        save(path, ListCursor(updated_at=format_rfc3339(now), items={item_key(each): each for each in items}))
    except LisaError as problem:
        raise LisaError("cursor_file_write_failed", problem.message) from problem


def compute_delta(before: ListCursor, items: Sequence[ListItem]) -> ListDelta:
    old, new = before.items, {item_key(each): each for each in items}
    added = _sort_by_name(new[key] for key in new.keys() - old.keys())
    removed = _sort_by_name(old[key] for key in old.keys() - new.keys())
    changed = _sort_by_name(new[key] for key in new.keys() & old.keys() if new[key] != old[key])
    return ListDelta(added=added, removed=removed, changed=changed, count=len(added) + len(removed) + len(changed))


def _sort_by_name(items: Iterable[ListItem]) -> tuple[ListItem, ...]:
    return tuple(sorted(items, key=lambda each: (each.session, each.project_root or "")))


def item_key(item: ListItem) -> str:
    """Return the key of an item: the name, with the project if the name alone is ambiguous."""
    return item.session if item.project_root is UNSET else f"{item.session}@{item.project_root}"
