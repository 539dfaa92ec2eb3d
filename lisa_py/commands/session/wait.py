"""Wait until any or all sessions need attention or reach a given state."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import csv
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import CursorFile, CursorReset, ProjectRoot, TimeoutSeconds
from lisa_py.core.context import Context
from lisa_py.core.fleet import wait_selection
from lisa_py.core.fleet.wait_selection import WaitQuery, WaitRow
from lisa_py.core.wait import wait_many


class Args(Struct, kw_only=True):
    any: Annotated[bool, Flag(help="end when one session matches (default)")] = False
    all: Annotated[bool, Flag(help="end when every session matches")] = False
    sessions: Annotated[
        str, Flag(help="session names; default: all of the project except the caller's", metavar="CSV")
    ] = ""
    until_state: Annotated[
        str, Flag(help="states to wait for; default: waiting_input and terminal states", metavar="CSV")
    ] = ""
    changed: Annotated[bool, Flag(help="only changes from now on")] = False
    cursor_file: CursorFile = ""
    cursor_reset: CursorReset = False
    timeout_seconds: TimeoutSeconds = None
    project_root: ProjectRoot = ""
    stream_json: Annotated[bool, Flag(help="one JSON line per change, before the result", json=True)] = False


class WaitChangeEvent(Answer):
    """A changed session state."""

    type: str = "change"
    elapsed_seconds: float
    session: WaitRow


class WaitResult(Answer):
    ok: bool
    condition: str
    """any or all."""
    until_states: tuple[str, ...]
    changed_only: bool
    project_root: str
    elapsed_seconds: float
    count: int
    """Number of sessions."""
    sessions: tuple[WaitRow, ...]
    """Sessions that meet the condition, most urgent first."""
    pending: tuple[WaitRow, ...]
    """The other sessions."""
    cursor_file: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


class MinimalWaitResult(Answer):
    ok: bool
    sessions: tuple[wait_selection.MinimalWaitRow, ...]
    pending: tuple[str, ...]
    pending_requests: tuple[wait_selection.MinimalWaitRow, ...] | UnsetType = UNSET
    """Pending sessions with an open dialog that an earlier call has reported."""
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> WaitResult:
    query = wait_selection.parse_query(
        args.any, args.all, args.until_state, args.changed, args.cursor_file, args.cursor_reset
    )
    project = ctx.project(args.project_root)
    refs = wait_selection.select_sessions(ctx, project, args.sessions, args.project_root)
    condition = wait_many.WaitCondition(
        all_sessions=query.every,
        states=query.states,
        changed=query.changed,
        timeout_seconds=args.timeout_seconds or 0,
    )
    started = ctx.clock.monotonic()

    def emit_change(member: wait_many.WaitMember) -> None:
        if args.stream_json:
            row = wait_selection.build_row(member, member.status)
            ctx.emit(WaitChangeEvent(elapsed_seconds=round(ctx.clock.monotonic() - started, 3), session=row))

    result = wait_selection.wait_for_sessions(ctx, refs, condition, query, emit_change)
    return _build_result(ctx, query, project.root, result)


def _build_result(ctx: Context, query: WaitQuery, root: str, result: wait_many.WaitManyResult) -> WaitResult:
    met = {member.key for member in result.met}
    return WaitResult(
        ok=not result.timed_out,
        condition="all" if query.every else "any",
        until_states=query.states,
        changed_only=query.changed,
        project_root=root,
        elapsed_seconds=round(result.elapsed, 3),
        count=len(result.members),
        sessions=wait_selection.build_rows(ctx, result.met),
        pending=wait_selection.build_rows(ctx, [member for member in result.members if member.key not in met]),
        cursor_file=query.cursor_file or UNSET,
        error_code="wait_timeout" if result.timed_out else UNSET,
    )


def minimize(answer: WaitResult, args: Args) -> MinimalWaitResult:
    return MinimalWaitResult(
        ok=answer.ok,
        sessions=tuple(wait_selection.build_minimal_row(each) for each in answer.sessions),
        pending=tuple(each.session for each in answer.pending),
        pending_requests=tuple(
            wait_selection.build_minimal_row(each) for each in answer.pending if each.choices is not UNSET
        )
        or UNSET,
        error_code=answer.error_code,
    )


def text(answer: WaitResult, args: Args) -> str:
    lines = [csv.format_line((each.session, each.session_state, each.waiting_for or "")) for each in answer.sessions]
    if not answer.ok:
        lines += [csv.format_line((each.session, each.session_state, "pending")) for each in answer.pending]
    return "\n".join(lines)


COMMAND = Command(
    group="fleet",
    reads=True,
    args=Args,
    answer=WaitResult,
    run=run,
    text=text,
    min=minimize,
    events=WaitChangeEvent,
    exit_code=lambda answer: 0 if answer.ok else 2,
    errors=(
        "wait_condition_conflict",
        "no_sessions",
        "invalid_until_state",
        "invalid_sessions",
        "wait_timeout",
        "session_list_failed",
        "invalid_cursor_file",
        "cursor_file_write_failed",
    ),
    exits={
        0: "one session matches (with --all: every session)",
        1: "refused: no session exists, or invalid flags",
        2: "timed out",
        130: "Ctrl-C; the sessions keep running",
    },
    example="""\
lisa session wait --any --json
lisa session wait --all --sessions lisa-w1,lisa-w2 --until-state completed --timeout-seconds 600 --json
lisa session wait --any --cursor-file /tmp/fleet.cursor --json-min""",
    notes="""\
A session that already matches counts at once; with --changed only changes after the call count. With --cursor-file each
call reports the changes since the previous report, so that nothing between two calls is missed. Waiting is cheap: a
session is read when one of its files changes or an event occurs. A session that has disappeared is not_found, a
terminal state.""",
)
