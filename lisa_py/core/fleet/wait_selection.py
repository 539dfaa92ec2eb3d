"""Select sessions to wait for and format the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import CancellationError, LisaError, UsageError, session_not_found
from lisa_py.contract.program_status import ProgramStatus
from lisa_py.contract.projection import copy_fields
from lisa_py.contract.status import SESSION_STATES, DialogChoice, Status
from lisa_py.core.advice import next_step
from lisa_py.core.context import Context
from lisa_py.core.fleet import discover
from lisa_py.core.fleet.list_items import describe_lost
from lisa_py.core.send.open_dialog import add_drawn_dialogs
from lisa_py.core.status import lost_sessions
from lisa_py.core.wait import wait_many
from lisa_py.core.wait.wait_many import ATTENTION_STATES, WaitCondition, WaitManyResult, WaitMember
from lisa_py.host import files
from lisa_py.store import snapshots
from lisa_py.store.paths import Project, SessionRef


class WaitQuery(Struct, frozen=True, kw_only=True):
    """The checked condition."""

    every: bool
    states: tuple[str, ...]
    changed: bool
    cursor_file: str
    cursor_reset: bool = False


class WaitRow(Answer):
    """The last known state of one session."""

    session: str
    project_root: str
    status: str
    session_state: str
    program_status: ProgramStatus
    reason: str
    agent: str
    mode: str
    changed: bool
    """True if changed since the start of the call, or since the last report of the cursor file."""
    previous_state: str
    next_action: str
    priority_score: int
    agent_state: str | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET
    state_detail: str | UnsetType = UNSET
    """Question, command or report of the agent."""
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    """Choices of the open dialog; not in events of --stream-json."""
    exit_code: int | UnsetType = UNSET
    error_kind: str | UnsetType = UNSET
    resume_command: str | UnsetType = UNSET
    """The command that brings a lost session back; not in events of --stream-json."""
    error_code: str | UnsetType = UNSET


class MinimalWaitRow(Answer):
    session: str
    session_state: str
    next_action: str
    waiting_for: str | UnsetType = UNSET
    state_detail: str | UnsetType = UNSET
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    resume_command: str | UnsetType = UNSET


class WaitCursor(Struct, kw_only=True, rename="camel"):
    """The cursor file: the state of each session at its last report."""

    updated_at: str = ""
    marks: dict[str, str] = {}


def parse_query(
    any_: bool, every: bool, until_state: str, changed: bool, cursor_file: str, cursor_reset: bool
) -> WaitQuery:
    """Check the condition. Raise UsageError(wait_condition_conflict | invalid_until_state)."""
    if any_ and every:
        raise UsageError("wait_condition_conflict", "give --any or --all, not both")
    words = tuple(dict.fromkeys(word.strip().lower() for word in until_state.split(",") if word.strip()))
    unknown = [word for word in words if word not in SESSION_STATES]
    if unknown or (until_state and not words):
        wrong = ",".join(unknown) or until_state
        raise UsageError("invalid_until_state", f"invalid --until-state: {wrong} (expected {','.join(SESSION_STATES)})")
    path = files.absolute_path(cursor_file.strip()) if cursor_file.strip() else ""
    return WaitQuery(
        every=every,
        states=words or ATTENTION_STATES,
        changed=changed or bool(path),
        cursor_file=path,
        cursor_reset=cursor_reset,
    )


def select_sessions(ctx: Context, project: Project, sessions: str, root: str) -> list[SessionRef]:
    """Return the named sessions, else all of the project except the caller's own.

    Raise LisaError: no_sessions, session_list_failed, invalid_sessions, invalid_session_name, ambiguous_project_root.
    """
    if sessions:
        names = list(dict.fromkeys(name.strip() for name in sessions.split(",") if name.strip()))
        if not names:
            raise UsageError("invalid_sessions", "invalid --sessions: the list is empty")
        return [ctx.ref(name, root) for name in names]
    own = ctx.settings.parent_session  # a parent that waits for its children does not wait for itself
    found = [ref for ref in discover.find_live_sessions(ctx, project).refs if ref.session != own]
    if not found:
        raise LisaError("no_sessions", _describe_none(ctx, project, root))
    return found


def _describe_none(ctx: Context, project: Project, root: str) -> str:
    """Return why there is nothing to wait for: the sessions are lost, or there were none."""
    lost = [known for known in lost_sessions.find_lost_entries(ctx, project) if lost_sessions.is_resumable(known.meta)]
    if not lost:
        return f"{project.root} has no session to wait for (lisa session spawn starts one)"
    text = describe_lost([known.ref.session for known in lost], all_projects=False, project_root=root)
    return f"{project.root} has no living session to wait for, but {len(lost)} {text}"


def wait_for_sessions(
    ctx: Context, refs: list[SessionRef], condition: WaitCondition, query: WaitQuery, emit: Callable[[WaitMember], None]
) -> WaitManyResult:
    """Wait, and update the cursor file.

    Raise CancellationError; LisaError: session_not_found if no session ever existed, invalid_cursor_file,
    cursor_file_write_failed.
    """
    cursor = _load_cursor(ctx, query) if query.cursor_file else None
    if not any(files.is_dir(ref.folder) or ctx.find_pane(ref) for ref in refs):
        raise session_not_found(refs[0].session, refs[0].project.root)
    try:
        found = wait_many.wait(ctx, refs, condition, baseline=cursor.marks if cursor else None, emit=emit)
    except CancellationError:
        raise CancellationError("stopped waiting; sessions keep running") from None
    if cursor is not None:
        reported = {
            member.key: member.mark for member in found.met
        }  # the others keep their state: a later change counts
        snapshots.write(query.cursor_file, WaitCursor(marks={**cursor.marks, **reported}), ctx.clock.now())
    return found


def _load_cursor(ctx: Context, query: WaitQuery) -> WaitCursor:
    cursor, was_reset = snapshots.read_or_reset(query.cursor_file, WaitCursor, query.cursor_reset, ctx.clock.now())
    if was_reset:
        ctx.warn(
            f"wait warning: {query.cursor_file} could not be read and was set aside; all sessions are reported again"
        )
    return cursor


def build_rows(ctx: Context, found: Sequence[WaitMember]) -> tuple[WaitRow, ...]:
    """Return the rows with the choices of open dialogs, sorted by urgency, then by name."""
    statuses = add_drawn_dialogs(ctx, [(member.ref, member.status) for member in found])
    rows = [_add_resume_command(ctx, member, build_row(member, statuses[member.ref])) for member in found]
    return tuple(sorted(rows, key=lambda each: (-each.priority_score, each.session)))


def _add_resume_command(ctx: Context, member: WaitMember, row: WaitRow) -> WaitRow:
    if not member.status.may_be_lost:
        return row
    command = lost_sessions.find_resume_command(ctx, member.ref, member.status)
    return structs.replace(row, resume_command=command or UNSET)


def build_row(member: WaitMember, status: Status) -> WaitRow:
    situation = next_step.read_situation(status)
    return WaitRow(
        session=status.session,
        project_root=member.ref.project.root,
        status=status.status,
        session_state=status.session_state,
        program_status=status.program_status,
        reason=status.classification_reason,
        agent=status.agent,
        mode=status.mode,
        changed=member.changed,
        previous_state=member.initial_state,
        next_action=situation.action,
        priority_score=situation.priority[0],
        agent_state=status.agent_state if status.agent_state != "unknown" else UNSET,
        waiting_for=status.waiting_for or UNSET,
        state_detail=status.state_detail or UNSET,
        choices=status.choices,
        exit_code=status.exit_code,
        error_kind=status.error_kind,
        error_code=status.error_code,
    )


def build_minimal_row(row: WaitRow) -> MinimalWaitRow:
    return copy_fields(row, MinimalWaitRow)
