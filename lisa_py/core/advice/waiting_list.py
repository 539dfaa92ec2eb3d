"""Whom to wait for, and how those who were waited for are told of: rows, most urgent first, and a cursor file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.errors import LisaError, UsageError, session_not_found
from lisa_py.contract.status import SESSION_STATES
from lisa_py.core.advice import next_action, priority
from lisa_py.core.context import Context
from lisa_py.core.watch import fleet, wait_many
from lisa_py.core.watch.wait_many import ATTENTION, Member, Waited, Wanted
from lisa_py.host import files
from lisa_py.host.clock import rfc3339
from lisa_py.store import cursors
from lisa_py.store.places import Place, Project
from lisa_py.store.records import Unreadable, load, save


class Asked(Struct, frozen=True, kw_only=True):
    """The condition, checked."""

    every: bool
    states: tuple[str, ...]
    changed: bool
    cursor_file: str
    cursor_reset: bool = False


class Row(Struct, frozen=True, kw_only=True, rename="camel"):
    """One session as it was last seen."""

    session: str
    project_root: str
    status: str
    session_state: str
    reason: str
    agent: str
    mode: str
    changed: bool
    """Since the call began, or since the cursor file's last report."""
    previous_state: str
    next_action: str
    priority_score: int
    agent_state: str | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    error_kind: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


class SmallRow(Struct, frozen=True, kw_only=True, rename="camel"):
    session: str
    session_state: str
    next_action: str
    waiting_for: str | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET


class Marks(Struct, kw_only=True, rename="camel"):
    """The cursor file: what each session was like when it was last reported."""

    updated_at: str = ""
    marks: dict[str, str] = {}


def asked(any_: bool, every: bool, until_state: str, changed: bool, cursor_file: str, cursor_reset: bool) -> Asked:
    """Raises UsageError(wait_condition_conflict | invalid_until_state)."""
    if any_ and every:
        raise UsageError("wait_condition_conflict", "give --any or --all, not both")
    words = tuple(dict.fromkeys(word.strip().lower() for word in until_state.split(",") if word.strip()))
    unknown = [word for word in words if word not in SESSION_STATES]
    if unknown or (until_state and not words):
        wrong = ",".join(unknown) or until_state
        raise UsageError("invalid_until_state", f"invalid --until-state: {wrong} (expected {','.join(SESSION_STATES)})")
    path = files.absolute(cursor_file.strip()) if cursor_file.strip() else ""
    return Asked(
        every=every,
        states=words or ATTENTION,
        changed=changed or bool(path),
        cursor_file=path,
        cursor_reset=cursor_reset,
    )


def members(ctx: Context, project: Project, sessions: str, root: str) -> list[Place]:
    """The sessions named, else all that the project has but the caller's own.

    Raises LisaError: no_sessions, session_list_failed, invalid_sessions, invalid_session_name, ambiguous_project_root.
    """
    if sessions:
        names = list(dict.fromkeys(name.strip() for name in sessions.split(",") if name.strip()))
        if not names:
            raise UsageError("invalid_sessions", "invalid --sessions: it names none")
        return [ctx.place(name, root) for name in names]
    own = ctx.settings.parent_session  # a parent that waits for its children does not wait for itself
    found = [place for place in fleet.live(ctx, project).places if place.session != own]
    if not found:
        raise LisaError("no_sessions", f"{project.root} has no session to wait for (lisa session spawn starts one)")
    return found


def wait(ctx: Context, places: list[Place], wanted: Wanted, asked: Asked, tell: Callable[[Member], None]) -> Waited:
    """Wait, and keep the cursor file.

    Raises LisaError: session_not_found when none of the sessions ever was, interrupted, invalid_cursor_file,
    cursor_file_write_failed.
    """
    known = _known(ctx, asked) if asked.cursor_file else None
    if not any(files.is_dir(place.folder) or ctx.server(place).pane(place.session) for place in places):
        raise session_not_found(places[0].session, places[0].project.root)
    try:
        found = wait_many.wait(ctx, places, wanted, baseline=known.marks if known else None, emit=tell)
    except KeyboardInterrupt:
        raise LisaError("interrupted", "stopped waiting; the sessions go on", exit_code=130) from None
    if known is not None:
        _remember(ctx, asked.cursor_file, known, found)
    return found


def _known(ctx: Context, asked: Asked) -> Marks:
    found = cursors.or_reset(_remembered, asked.cursor_file, asked.cursor_reset, ctx.clock.now())
    if found is None:
        ctx.warn(f"wait warning: {asked.cursor_file} could not be read and was set aside; all is news again")
    return found or Marks()


def _remembered(path: str) -> Marks:
    try:
        if files.exists(path) and not files.is_ours(path):
            raise Unreadable(f"{path} is not a plain file of this user")
        return (load(path, Marks) if files.read(path) else None) or Marks()
    except (Unreadable, OSError) as problem:
        raise cursors.refused(problem) from None


def _remember(ctx: Context, path: str, known: Marks, found: Waited) -> None:
    """What was reported counts as known; the others keep what they were, so that their change is still news."""
    marks = dict(known.marks)
    marks.update({member.key: member.mark for member in found.met})
    try:
        if not files.is_dir(os.path.dirname(path)):
            files.private_dir(os.path.dirname(path))
        save(path, Marks(updated_at=rfc3339(ctx.clock.now()), marks=marks))
    except LisaError as problem:
        raise LisaError("cursor_file_write_failed", problem.message) from problem


def rows(found: Iterable[Member]) -> tuple[Row, ...]:
    """The most urgent first, then by name."""
    return tuple(sorted(map(row, found), key=lambda each: (-each.priority_score, each.session)))


def row(member: Member) -> Row:
    status = member.status
    return Row(
        session=status.session,
        project_root=member.place.project.root,
        status=status.status,
        session_state=status.session_state,
        reason=status.classification_reason,
        agent=status.agent,
        mode=status.mode,
        changed=member.changed,
        previous_state=member.before,
        next_action=next_action.name(status.session_state),
        priority_score=priority.of(status.session_state)[0],
        agent_state=status.agent_state if status.agent_state != "unknown" else UNSET,
        waiting_for=status.waiting_for or UNSET,
        exit_code=status.exit_code,
        error_kind=status.error_kind,
        error_code=status.error_code,
    )


def small(each: Row) -> SmallRow:
    return SmallRow(
        session=each.session,
        session_state=each.session_state,
        next_action=each.next_action,
        waiting_for=each.waiting_for,
        exit_code=each.exit_code,
    )
