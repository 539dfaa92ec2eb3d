"""Show why a session is said to be in its state, and its recent events."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import AgentHint, ModeHint, ProjectRoot, Session
from lisa_py.contract.records import Event
from lisa_py.contract.status import Status
from lisa_py.core.context import Context
from lisa_py.core.watch import hints, history, look


class Args(Struct, kw_only=True):
    session: Session
    agent: AgentHint = "auto"
    mode: ModeHint = "auto"
    project_root: ProjectRoot = ""
    events: Annotated[int, Flag(help="how many recent events", minimum=1, also=("--recent",))] = 10
    since: Annotated[
        str,
        Flag(
            help="only events after a cursor (nextCursor of an earlier call), @unix time or RFC 3339 time",
            metavar="VALUE",
            code="invalid_since_cursor",
        ),
    ] = ""


class Explained(Struct, frozen=True, kw_only=True, rename="camel"):
    status: Status
    event_file: str
    events: tuple[Event, ...]
    dropped_event_lines: int
    missed_events: int
    """Events between --since and the oldest one that is kept."""
    more_events: int
    """Events after these, left for a call with --since nextCursor."""
    next_cursor: int
    since: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> Explained:
    agent = hints.agent(args.agent)
    since = history.since_value(args.since)
    place = ctx.place(args.session, args.project_root)
    status = look.status(ctx, place, agent=agent, mode=args.mode)
    page = history.page(place, since, args.events)
    return Explained(
        status=look.shown(status),
        event_file=place.events,
        events=page.events,
        dropped_event_lines=page.dropped,
        missed_events=page.missed,
        more_events=page.more,
        next_cursor=page.next,
        since=args.since or UNSET,
        error_code=status.error_code,
    )


def text(answer: Explained, args: Args) -> str:
    status, signals = answer.status, answer.status.signals
    lines = [
        f"session: {status.session}",
        f"state: {status.session_state} ({status.status})",
        f"reason: {status.classification_reason}",
        f"decided by: {status.state_source}" + (f" ({status.state_detail})" if status.state_detail else ""),
        f"agent: {status.agent or '-'} mode: {status.mode or '-'} doing: {status.agent_state}"
        + (f" waiting for: {status.waiting_for}" if status.waiting_for else ""),
        f"output_age: {status.output_age_seconds}s (fresh<={status.output_fresh_seconds}s)",
        f"heartbeat_age: {status.heartbeat_age_seconds}s (fresh<={status.heartbeat_fresh_seconds}s)",
        f"signals: done_file={_word(signals.done_file_seen)} session_marker={_word(signals.session_marker_seen)} "
        f"exec_marker={_word(signals.exec_marker_seen)} prompt_waiting={_word(signals.prompt_waiting)} "
        f"heartbeat_fresh={_word(signals.heartbeat_fresh)} agent_pid={status.agent_pid}",
        *_evidence(status),
        *_problems(status),
        *_events(answer),
    ]
    return "\n".join(lines)


def _word(value: bool) -> str:
    return "true" if value else "false"


def _evidence(status: Status) -> list[str]:
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


def _problems(status: Status) -> list[str]:
    signals = status.signals
    named = (
        ("tmux_read_error", signals.tmux_read_error),
        ("meta_read_error", signals.meta_read_error),
        ("state_read_error", signals.state_read_error),
        ("done_file_read_error", signals.done_file_read_error),
        ("agent_scan_error", signals.agent_scan_error),
    )
    return [f"{name}: {value}" for name, value in named if value is not UNSET]


def _events(answer: Explained) -> list[str]:
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


class Brief(Struct, frozen=True, kw_only=True, rename="camel"):
    """The reason and the events, for a loop."""

    session: str
    status: str
    session_state: str
    reason: str
    recent: tuple[history.Item, ...]
    next_cursor: int
    since: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def smaller(answer: Explained, args: Args) -> Brief:
    status = answer.status
    return Brief(
        session=status.session,
        status=status.status,
        session_state=status.session_state,
        reason=status.classification_reason,
        recent=tuple(map(history.item, answer.events)),
        next_cursor=answer.next_cursor,
        since=answer.since,
        error_code=answer.error_code,
    )


COMMAND = Command(
    args=Args,
    answer=Explained,
    run=run,
    text=text,
    min=smaller,
    errors={
        "invalid_agent_hint": "--agent names no agent lisa knows",
        "invalid_mode_hint": "--mode is neither auto, interactive nor exec",
        "invalid_events": "--events is not a positive number",
        "invalid_since_cursor": "--since is neither a cursor, @unix time nor RFC 3339 time",
        "event_tail_read_failed": "the event log is there but cannot be read",
    },
    exits={0: "answered, also for a session that does not exist (errorCode says so)", 1: "refused"},
    example="lisa session explain --session lisa-demo-1 --events 30",
    notes="""\
Without --since the newest --events are shown, with it the oldest after that place: nextCursor is the --since of the
next call, so that none is left out. droppedEventLines could not be read, missedEvents were trimmed away unread,
moreEvents are left for the next call.""",
)
