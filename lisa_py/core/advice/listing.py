"""A list of sessions as an answer: one item each, what to do next, how urgent, and what is new since the last list."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.advice import next_action, priority
from lisa_py.core.context import Context
from lisa_py.host import files
from lisa_py.host.clock import rfc3339
from lisa_py.store import cursors
from lisa_py.store.places import Place, Project
from lisa_py.store.records import Unreadable, load, save


class Item(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
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


class Delta(Struct, frozen=True, kw_only=True):
    """What is new since the last list; a changed session is shown as it is now."""

    added: tuple[Item, ...]
    removed: tuple[Item, ...]
    changed: tuple[Item, ...]
    count: int


class Memory(Struct, kw_only=True, rename="camel"):
    """The cursor file: the last list."""

    updated_at: str = ""
    items: dict[str, Item] = {}


def item(place: Place, socket: str, status: Status | None) -> Item:
    """One session; with a status also what it asks for."""
    if status is None:
        return Item(session=place.session, project_root=place.project.root, socket_path=socket)
    score, label = priority.of(status.session_state)
    return Item(
        session=place.session,
        status=status.normalised(),
        session_state=status.session_state,
        waiting_for=status.waiting_for or UNSET,
        next_action=next_action.name(status.session_state),
        priority_score=score,
        priority_label=label,
        project_root=place.project.root,
        socket_path=socket,
        error_code=status.error_code,
    )


def by_priority(items: Sequence[Item]) -> list[Item]:
    """The most urgent first, then by name."""
    return sorted(items, key=lambda each: (-(each.priority_score or 0), each.session))


def default_path(ctx: Context, project: Project) -> str:
    return os.path.join(ctx.settings.shared_dir, f".lisa-{project.hash}-list-delta.json")


def remembered(path: str) -> Memory:
    """The last list; empty when there is none. Raises UsageError(invalid_cursor_file)."""
    try:
        if files.exists(path) and not files.is_ours(path):
            raise Unreadable(f"{path} is not a plain file of this user")
        raw = files.read(path)
        if raw is not None and not raw.strip():
            return Memory()
        return load(path, Memory) or Memory()
    except (Unreadable, OSError) as problem:
        raise cursors.refused(problem) from None


def remember(path: str, items: Sequence[Item], now: float) -> None:
    """Raises LisaError(cursor_file_write_failed)."""
    try:
        folder = os.path.dirname(path)
        if not files.is_dir(folder):
            files.private_dir(folder)
        save(path, Memory(updated_at=rfc3339(now), items={key(each): each for each in items}))
    except LisaError as problem:
        raise LisaError("cursor_file_write_failed", problem.message) from problem


def delta(before: Memory, items: Sequence[Item]) -> Delta:
    old, new = before.items, {key(each): each for each in items}
    added = _by_name(new[key] for key in new.keys() - old.keys())
    removed = _by_name(old[key] for key in old.keys() - new.keys())
    changed = _by_name(new[key] for key in new.keys() & old.keys() if new[key] != old[key])
    return Delta(added=added, removed=removed, changed=changed, count=len(added) + len(removed) + len(changed))


def _by_name(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(sorted(items, key=lambda each: (each.session, each.project_root or "")))


def key(each: Item) -> str:
    """What tells items apart: the name, with the project where a name alone would not do."""
    return each.session if each.project_root is UNSET else f"{each.session}@{each.project_root}"
