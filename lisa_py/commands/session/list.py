"""List sessions with their state and suggested next step."""

# annotations are evaluated here: as strings they cost a one-shot call its first `compile` (decision 0017)
from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py import agents
from lisa_py.contract import command_line
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.common_flags import CursorReset, ProjectRoot
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.projection import copy_fields
from lisa_py.core.advice import next_step, person
from lisa_py.core.context import Context
from lisa_py.core.fleet import list_items, session_list, status_table
from lisa_py.core.fleet.discover import SessionWarning
from lisa_py.core.fleet.list_items import ListDelta, ListItem, LostSession, WorktreeItem
from lisa_py.core.fleet.session_list import ListQuery, PrunePreview
from lisa_py.core.fleet.status_table import StatusRow
from lisa_py.store.paths import Project, SessionRef
from lisa_py.terminal.table import Screen

WATCH_SECONDS = 1.0
"""Longest time between two drawings: the ages in the table grow."""


class Args(Struct, kw_only=True):
    all_sockets: Annotated[bool, Flag(help="sessions of all projects and sockets")] = False
    project_only: Annotated[bool, Flag(help="only sessions with records in this project")] = False
    active_only: Annotated[bool, Flag(help="no sessions in state not_found")] = False
    with_next_action: Annotated[bool, Flag(help="state and suggested next step of each")] = False
    priority: Annotated[bool, Flag(help="most urgent first; implies --with-next-action")] = False
    stale: Annotated[bool, Flag(help="count of records without a tmux session")] = False
    prune_preview: Annotated[bool, Flag(help="with --stale: commands that would remove the records")] = False
    delta_json: Annotated[bool, Flag(help="changes since the last such call", json=True, acts=True)] = False
    cursor_file: Annotated[str, Flag(help="with --delta-json: file with the last list", metavar="PATH", acts=True)] = ""
    cursor_reset: CursorReset = False
    watch: Annotated[bool, Flag(help="table on the terminal that follows every change")] = False
    watch_json: Annotated[bool, Flag(help="continuous JSON lines: at every change and interval", json=True)] = False
    watch_interval: Annotated[int, Flag(help="seconds between lines without a change", minimum=1)] = 2
    watch_cycles: Annotated[int, Flag(help="maximum number of lines; 0: unlimited", minimum=0)] = 0
    project_root: ProjectRoot = ""


class ListResult(Answer):
    """The sessions; keys after `count` depend on the flags."""

    sessions: tuple[str, ...]
    count: int
    items: tuple[ListItem, ...] | UnsetType = UNSET
    project_root: str | UnsetType = UNSET
    project_only: bool | UnsetType = UNSET
    all_sockets: bool | UnsetType = UNSET
    active_only: bool | UnsetType = UNSET
    with_next_action: bool | UnsetType = UNSET
    priority: bool | UnsetType = UNSET
    historical_count: int | UnsetType = UNSET
    stale_count: int | UnsetType = UNSET
    stale_sessions: tuple[str, ...] | UnsetType = UNSET
    prune_preview: tuple[PrunePreview, ...] | UnsetType = UNSET
    lost: tuple[LostSession, ...] | UnsetType = UNSET
    """Sessions whose agents were ended with tmux or the machine; not in `sessions`."""
    worktrees: tuple[WorktreeItem, ...] | UnsetType = UNSET
    """Worktrees of these and of lost sessions; only with --json."""
    delta: ListDelta | UnsetType = UNSET
    cursor_file: str | UnsetType = UNSET
    cursor_recovered: bool | UnsetType = UNSET
    """True if an unreadable cursor file was moved aside."""
    warnings: tuple[SessionWarning, ...] | UnsetType = UNSET


class FleetView(ListResult):
    """The sessions as a table for a terminal."""

    rows: tuple[StatusRow, ...]


def run(args: Args, ctx: Context) -> ListResult:
    query = build_query(args, with_states=ctx.screen is not None)
    query = structs.replace(query, worktrees=ctx.output_format == "json")
    project = ctx.project(args.project_root)
    if args.watch_json:
        for number, found in enumerate(session_list.watch_list(ctx, project, query, args.watch_interval), 1):
            if number == args.watch_cycles:
                return _build_watch_line(found)
            ctx.emit(_build_watch_line(found))
    if args.watch:
        _watch_table(args, ctx, project, query)
    found = session_list.read_list(ctx, project, query)
    for item, status in zip(found.items, found.statuses, strict=False):
        owner = ctx.project(item.project_root or "")
        person.warn_about_wait(ctx, SessionRef(owner, item.session), next_step.read_situation(status))
    result = _build_result(args, found, project.root)
    if ctx.screen is None:
        if ctx.output_format == "text" and found.lost:
            ctx.warn(_describe_lost(found.lost, args))
        return result
    rows = _build_rows(found, project.root if not args.all_sockets else "", ctx.clock.now())
    return FleetView(**structs.asdict(result), rows=rows)


def _watch_table(args: Args, ctx: Context, project: Project, query: ListQuery) -> None:
    """Redraw the table until Ctrl-C. Raise LisaError(no_terminal), CancellationError."""
    display = ctx.live_display
    if display.screen is None:
        raise LisaError(
            "no_terminal", "--watch draws on a terminal; a program reads --watch-json, or lisa watch --json"
        )
    for found in session_list.watch_list(ctx, project, structs.replace(query, states=True), WATCH_SECONDS):
        rows = _build_rows(found, project.root if not args.all_sockets else "", ctx.clock.now())
        table = status_table.format_rows(rows, display.screen, is_live=True)
        display.show_rows([*(table or ["no sessions"]), *([_describe_lost(found.lost, args)] if found.lost else [])])


def _describe_lost(lost: Sequence[LostSession], args: Args) -> str:
    """Return the line about lost sessions for people."""
    names = [each.session for each in lost]
    return list_items.describe_lost(names, all_projects=args.all_sockets, project_root=args.project_root)


def _build_rows(found: session_list.SessionList, own_root: str, now: float) -> tuple[StatusRow, ...]:
    """Return the rows; the project is named where the list spans several."""
    names = _name_projects({item.project_root or "" for item in found.items})
    return tuple(
        status_table.build_row(
            status,
            seconds=status_table.seconds_in_state(status, now),
            project="" if own_root else names[item.project_root or ""],
            on_limit=(item.limits.on_limit or "") if item.limits else "",
        )
        for item, status in zip(found.items, found.statuses, strict=True)
    )


def _name_projects(roots: set[str]) -> dict[str, str]:
    """Return the last part of each path; the whole path where two are the same."""
    short = {root: root.rpartition("/")[2] or root for root in roots}
    return {root: name if list(short.values()).count(name) == 1 else root for root, name in short.items()}


def build_query(args: Args, *, with_states: bool = False) -> ListQuery:
    if args.prune_preview and not args.stale:
        raise UsageError("prune_preview_requires_stale", "--prune-preview requires --stale")
    wants_delta = args.delta_json or args.watch_json
    if wants_delta and args.stale:
        raise UsageError("delta_json_incompatible_with_stale", "--delta-json cannot be combined with --stale")
    if args.active_only and args.stale:
        raise UsageError("active_only_incompatible_with_stale", "--active-only cannot be combined with --stale")
    if args.cursor_file and not wants_delta:
        raise UsageError("cursor_file_requires_delta_json", "--cursor-file requires --delta-json")
    states = args.with_next_action or args.priority or args.watch_json or with_states
    return copy_fields(args, ListQuery, states=states, delta=wants_delta)


def _build_result(args: Args, found: session_list.SessionList, root: str) -> ListResult:
    return copy_fields(
        args,
        ListResult,
        sessions=tuple(each.session for each in found.items),
        count=len(found.items),
        items=found.items if found.has_items else UNSET,
        project_root=root,
        with_next_action=args.with_next_action or args.priority,
        historical_count=found.historical,
        stale_count=UNSET if found.stale is UNSET else len(found.stale),
        stale_sessions=found.stale,
        prune_preview=found.prune,
        lost=found.lost or UNSET,
        worktrees=found.worktrees or UNSET,
        delta=found.delta,
        cursor_file=found.cursor_file,
        cursor_recovered=found.cursor_recovered,
        warnings=found.warnings or UNSET,
    )


def _build_watch_line(found: session_list.SessionList) -> ListResult:
    """Return one line of --watch-json with the fields for loops."""
    return ListResult(
        sessions=tuple(each.session for each in found.items),
        count=len(found.items),
        items=found.items,
        delta=found.delta,
        cursor_file=found.cursor_file,
        cursor_recovered=found.cursor_recovered,
        warnings=found.warnings or UNSET,
    )


def text(answer: ListResult, args: Args) -> str:
    if args.stale:
        return "\n".join(_format_stale(answer))
    if args.with_next_action or args.priority:
        items = answer.items if answer.items is not UNSET else ()
        return "\n".join(_format_row(each, args.priority) for each in items)
    return "\n".join(answer.sessions)


def format_terminal(answer: ListResult, args: Args, screen: Screen) -> str:
    """Return the table of the fleet, or the way to a first session."""
    if args.stale or not isinstance(answer, FleetView):
        return text(answer, args)
    if answer.rows:
        lines = status_table.format_rows(answer.rows, screen)
        if args.with_next_action or args.priority:
            items = answer.items if answer.items is not UNSET else ()
            lines += ["", *(f"next for {each.session}: lisa {each.next_action}" for each in items if each.next_action)]
        lost = answer.lost if answer.lost is not UNSET else ()
        return "\n".join([*lines, *(["", _describe_lost(lost, args)] if lost else [])])
    place = "" if args.all_sockets else f" in {answer.project_root}"
    start = command_line.build(
        "session spawn", agent=next(name for name in agents.names() if not agents.get(name).hidden), prompt="..."
    )
    lines = [f"no sessions{place}", f"to start one: {start}"]
    if answer.lost is not UNSET:
        lines.insert(1, _describe_lost(answer.lost, args))
    if not args.all_sockets:
        lines.append(f"sessions of all projects: {command_line.build('session list', all_sockets=True)}")
    return "\n".join(lines)


def _format_row(each: ListItem, priority: bool) -> str:
    cells: list[object] = [each.session, each.status, each.session_state, each.next_action]
    if priority:
        cells += [each.priority_score, each.priority_label]
    return ",".join(str(word) for word in cells)


def _format_stale(answer: ListResult) -> list[str]:
    stale = answer.stale_sessions if answer.stale_sessions is not UNSET else ()
    plan = answer.prune_preview if answer.prune_preview is not UNSET else ()
    lines = [f"active={answer.count} historical={answer.historical_count} stale={len(stale)}"]
    lines += ["active_sessions:", *(f"- {name}" for name in answer.sessions)]
    if stale:
        lines += ["stale_sessions:", *(f"- {name}" for name in stale)]
    if plan:
        lines += ["prune_preview:", *(f"- {each.prune_cmd}" for each in plan)]
    return lines


COMMAND = Command(
    group="daily",
    reads=True,
    args=Args,
    answer=ListResult,
    run=run,
    text=text,
    terminal=format_terminal,
    live=True,
    min=(
        "sessions",
        "count",
        "items",
        "historical_count",
        "stale_count",
        "lost",
        "delta",
        "cursor_file",
        "cursor_recovered",
        "warnings",
    ),
    events=ListResult,
    errors=(
        "prune_preview_requires_stale",
        "delta_json_incompatible_with_stale",
        "active_only_incompatible_with_stale",
        "cursor_file_requires_delta_json",
        "invalid_cursor_file",
        "cursor_file_write_failed",
        "no_terminal",
        "session_list_failed",
    ),
    example="lisa session list --priority\nlisa session list --all-sockets --with-next-action --json",
    notes="""\
A session is listed until it is killed, also after its agent has ended. One whose agent was ended with tmux or the
machine is in `lost`, with the command that brings it back. Text output has one name per line; with
--with-next-action name,status,sessionState,nextAction, and with --priority also score,label. A delta compares all
requested fields with the last call that used the same cursor file.""",
)
