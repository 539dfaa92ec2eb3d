"""Show the evidence for the state of a session, and its recent events."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py import agents
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import AgentHint, ModeHint, ProjectRoot, Session
from lisa_py.contract.records import Event
from lisa_py.contract.status import Helper, Status
from lisa_py.core.context import Context
from lisa_py.core.output import events as output_events
from lisa_py.core.status import lost_sessions, status_reader


class Args(Struct, kw_only=True):
    session: Session
    agent: AgentHint = "auto"
    mode: ModeHint = "auto"
    project_root: ProjectRoot = ""
    events: Annotated[int, Flag(help="number of recent events", minimum=1, other_spellings=("--recent",))] = 10
    since: Annotated[
        str,
        Flag(
            help="only events after a cursor or time",
            metavar="VALUE",
            code="invalid_since_cursor",
        ),
    ] = ""


class ExplainResult(Answer):
    status: Status
    event_file: str
    events: tuple[Event, ...]
    dropped_event_lines: int
    missed_events: int
    """Number of events between --since and the oldest kept event."""
    more_events: int
    """Number of events left for a call with --since nextCursor."""
    next_cursor: int
    since: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> ExplainResult:
    agent = agents.parse_agent_hint(args.agent)
    since = output_events.parse_since(args.since)
    ref = ctx.ref(args.session, args.project_root)
    status = status_reader.read_status(ctx, ref, agent=agent, mode=args.mode)
    page = output_events.read_page(ref, since, args.events)
    resume_command = lost_sessions.find_resume_command(ctx, ref, status)
    return ExplainResult(
        status=structs.replace(status_reader.normalise_status(status), resume_command=resume_command or UNSET),
        event_file=ref.events,
        events=page.events,
        dropped_event_lines=page.dropped,
        missed_events=page.missed,
        more_events=page.more,
        next_cursor=page.next,
        since=args.since or UNSET,
        error_code=status.error_code,
    )


def _describe_helper(helper: Helper) -> str:
    return f"{helper.kind}: {helper.state} {helper.age_seconds}s {helper.name or helper.id or helper.pid}"


def text(answer: ExplainResult, args: Args) -> str:
    status, signals = answer.status, answer.status.signals
    lines = [
        f"session: {status.session}",
        f"state: {status.session_state} ({status.status})",
        f"reason: {status.classification_reason}",
        f"decided by: {status.state_source}" + (f" ({status.state_detail})" if status.state_detail else ""),
        f"agent: {status.agent or '-'} mode: {status.mode or '-'} doing: {status.agent_state}"
        + (f" waiting for: {status.waiting_for}" if status.waiting_for else ""),
        *(_describe_helper(each) for each in status.helpers or ()),
        f"output_age: {status.output_age_seconds}s (fresh<={status.output_fresh_seconds}s)",
        f"heartbeat_age: {status.heartbeat_age_seconds}s (fresh<={status.heartbeat_fresh_seconds}s)",
        f"signals: done_file={_format_bool(signals.done_file_seen)} "
        f"session_marker={_format_bool(signals.session_marker_seen)} "
        f"exec_marker={_format_bool(signals.exec_marker_seen)} prompt_waiting={_format_bool(signals.prompt_waiting)} "
        f"heartbeat_fresh={_format_bool(signals.heartbeat_fresh)} agent_pid={status.agent_pid}",
        *([f"to bring it back: {status.resume_command}"] if status.resume_command else []),
        *_format_reports(status),
        *_format_errors(status),
        *_format_events(answer),
    ]
    return "\n".join(lines)


def _format_bool(value: bool) -> str:
    return "true" if value else "false"


def _format_reports(status: Status) -> list[str]:
    reports = status.signals.reports
    if not reports:
        return []
    rows = [
        f"- {report.source}: {report.state}"
        + (f" ({report.waiting_for})" if report.waiting_for else "")
        + (f" {report.detail}" if report.detail else "")
        for report in reports
    ]
    return ["evidence:", *rows]


def _format_errors(status: Status) -> list[str]:
    signals = status.signals
    errors = (
        ("tmux_read_error", signals.tmux_read_error),
        ("meta_read_error", signals.meta_read_error),
        ("state_read_error", signals.state_read_error),
        ("done_file_read_error", signals.done_file_read_error),
        ("agent_scan_error", signals.agent_scan_error),
    )
    return [f"{name}: {value}" for name, value in errors if value is not UNSET]


def _format_events(answer: ExplainResult) -> list[str]:
    rows = [
        f"- {event.at} {event.type} state={event.state} status={event.status} reason={event.reason}"
        for event in answer.events
    ]
    lines = ["events:", *rows] if rows else ["events: none"]
    if answer.dropped_event_lines:
        lines.append(f"events_dropped: {answer.dropped_event_lines}")
    if answer.missed_events:
        lines.append(f"events_missed: {answer.missed_events}")
    if answer.more_events:
        lines.append(f"events_more: {answer.more_events}")
    return [*lines, f"next_cursor: {answer.next_cursor}"]


class MinimalExplainResult(Answer):
    """Reason and events, for polling loops."""

    session: str
    status: str
    session_state: str
    reason: str
    recent: tuple[output_events.CompactEvent, ...]
    next_cursor: int
    since: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def minimize(answer: ExplainResult, args: Args) -> MinimalExplainResult:
    status = answer.status
    return MinimalExplainResult(
        session=status.session,
        status=status.status,
        session_state=status.session_state,
        reason=status.classification_reason,
        recent=tuple(map(output_events.to_compact_event, answer.events)),
        next_cursor=answer.next_cursor,
        since=answer.since,
        error_code=answer.error_code,
    )


COMMAND = Command(
    group="reading",
    reads=True,
    args=Args,
    answer=ExplainResult,
    run=run,
    text=text,
    min=minimize,
    errors=("event_tail_read_failed",),
    exits={0: "answered, also for a missing session (see errorCode)", 1: "refused"},
    example="lisa session explain --session lisa-demo-1 --events 30",
    notes="""\
Without --since the newest --events are shown, with it the oldest after that cursor. nextCursor is the --since of the
next call, so that no event is skipped. droppedEventLines counts unreadable lines, missedEvents events that were trimmed
before they were read, moreEvents those left for the next call.""",
)
