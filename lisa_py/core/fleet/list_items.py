"""Items of a session list: state, next action, urgency, and changes since the last list."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract import command_line
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.contract.limits import SessionLimits
from lisa_py.contract.program_status import ProgramStatus
from lisa_py.contract.status import Status
from lisa_py.core.advice import next_step
from lisa_py.core.context import Context
from lisa_py.core.usage.limits import describe_limits
from lisa_py.store import snapshots
from lisa_py.store.paths import Project, SessionRef

if TYPE_CHECKING:
    from lisa_py.contract.records import SessionMeta
    from lisa_py.store.session_index import SessionIndexEntry

SHOWN_LOST = 8
WORKTREE_SECONDS, WORKTREE_WORKERS = 2.0, 8
"""Limit of git for all worktrees of a list, and how many are compared at a time."""


class ListItem(Answer, omit_defaults=True):
    session: str
    status: str | UnsetType = UNSET
    session_state: str | UnsetType = UNSET
    program_status: ProgramStatus | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET
    next_action: str | UnsetType = UNSET
    priority_score: int | UnsetType = UNSET
    priority_label: str | UnsetType = UNSET
    project_root: str | UnsetType = UNSET
    socket_path: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    limits: SessionLimits | UnsetType = UNSET
    """Limits of the session and their use; not part of a comparison."""
    helpers: int | UnsetType = UNSET
    """Number of subagents, background shells and teammates that run; not part of a comparison."""


class LostSession(Answer):
    """A session whose agent was ended from outside."""

    session: str
    project_root: str
    agent: str
    resumable: bool
    """False for a run (exec) and a custom command."""
    resume_command: str | UnsetType = UNSET
    """The command that brings it back."""


class WorktreeItem(Answer):
    """The worktree of a session, and its changes since its base as `session diff` counts them."""

    session: str
    project_root: str
    path: str
    branch: str
    commits: int | UnsetType = UNSET
    changed: int | UnsetType = UNSET
    """Number of files."""
    added: int | UnsetType = UNSET
    removed: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    """Reason why the numbers are absent."""


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
    situation = next_step.read_situation(status)
    score, label = situation.priority
    return ListItem(
        session=ref.session,
        status=status.status_word(),
        session_state=status.session_state,
        program_status=status.program_status,
        waiting_for=status.waiting_for or UNSET,
        next_action=situation.action,
        priority_score=score,
        priority_label=label,
        project_root=ref.project.root,
        socket_path=socket,
        error_code=status.error_code,
        limits=describe_limits(ref) or UNSET,
        helpers=sum(each.state == "running" for each in status.helpers or ()) or UNSET,
    )


def sort_by_priority(items: Sequence[ListItem]) -> list[ListItem]:
    """Sort by urgency, then by name."""
    return sorted(items, key=lambda each: (-(each.priority_score or 0), each.session))


def default_cursor_path(ctx: Context, project: Project) -> str:
    return os.path.join(ctx.settings.shared_dir, f".lisa-{project.hash}-list-delta.json")


def build_cursor(items: Sequence[ListItem]) -> ListCursor:
    return ListCursor(items={item_key(each): structs.replace(each, limits=UNSET, helpers=UNSET) for each in items})


def compute_delta(before: ListCursor, items: Sequence[ListItem]) -> ListDelta:
    old, new = before.items, build_cursor(items).items
    found = snapshots.compare(old, new)
    return ListDelta(
        added=tuple(new[key] for key in found.added),
        removed=tuple(old[key] for key in found.removed),
        changed=tuple(new[key] for key in found.changed),
        count=found.count,
    )


def item_key(item: ListItem) -> str:
    """Return the key of an item: the name, with the project if the name alone is ambiguous."""
    return item.session if item.project_root is UNSET else f"{item.session}@{item.project_root}"


def find_lost_sessions(ctx: Context, entries: Sequence[SessionIndexEntry]) -> tuple[LostSession, ...]:
    """Return those of the sessions that are lost."""
    if not entries:
        return ()
    from lisa_py.core.status import lost_sessions  # noqa: PLC0415 - most lists have no session without a pane

    return tuple(
        _build_lost(
            known, lost_sessions.build_resume_command(known.ref) if lost_sessions.is_resumable(known.meta) else ""
        )
        for known in lost_sessions.find_lost(ctx, entries)
    )


def compare_worktrees(ctx: Context, known: Sequence[tuple[SessionRef, SessionMeta]]) -> tuple[WorktreeItem, ...]:
    """Return the worktrees with the numbers of their changes, all of them within WORKTREE_SECONDS."""
    if not known:
        return ()
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - most lists have no worktree

    deadline = ctx.clock.monotonic() + WORKTREE_SECONDS
    with ThreadPoolExecutor(max_workers=WORKTREE_WORKERS) as pool:
        return tuple(pool.map(lambda pair: _compare_worktree(ctx, pair[0], pair[1], deadline), known))


def _compare_worktree(ctx: Context, ref: SessionRef, meta: SessionMeta, deadline: float) -> WorktreeItem:
    from lisa_py.core.lifecycle import worktree_changes  # noqa: PLC0415 - as above

    assert meta.worktree is not None
    item = WorktreeItem(
        session=ref.session, project_root=ref.project.root, path=meta.worktree.path, branch=meta.worktree.branch
    )
    try:
        found = worktree_changes.compare_worktree(ctx, ref, deadline=deadline)
    except LisaError as problem:
        return structs.replace(item, reason=problem.message)
    return structs.replace(item, commits=found.commits, changed=found.changed, added=found.added, removed=found.removed)


def _build_lost(known: SessionIndexEntry, resume_command: str) -> LostSession:
    ref = known.ref
    return LostSession(
        session=ref.session,
        project_root=ref.project.root,
        agent=known.meta.agent,
        resumable=bool(resume_command),
        resume_command=resume_command or UNSET,
    )


def describe_lost(names: Sequence[str], *, all_projects: bool, project_root: str = "") -> str:
    """Return the line for people about lost sessions."""
    line = command_line.build("session resume", all=True, all_projects=all_projects, project_root=project_root)
    more = f" and {len(names) - SHOWN_LOST} more" if len(names) > SHOWN_LOST else ""
    return f"lost: {', '.join(names[:SHOWN_LOST])}{more} (ended from outside; {line} brings them back)"
