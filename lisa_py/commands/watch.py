"""Watch all sessions and give notice of each that asks, fails, is done or is lost."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

from msgspec import Struct

from lisa_py.contract import csv
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import ProjectRoot
from lisa_py.contract.notices import NOTICE_KINDS, NoticeKind, SessionNotice
from lisa_py.core.context import Context
from lisa_py.core.fleet import notice_sinks, status_table
from lisa_py.core.fleet.program_records import ProgramReporter
from lisa_py.core.fleet.watch import FleetWatch, WatchStep


class Args(Struct, kw_only=True):
    notify: Annotated[
        tuple[str, ...],
        Flag(help="term, tmux, exec:CMD, a URL or a reference", repeatable=True, metavar="SINK"),
    ] = ()
    on: Annotated[str, Flag(help="kinds of notices: asks,failed,done,lost,limit", metavar="CSV")] = "all"
    all_projects: Annotated[bool, Flag(help="sessions of all projects")] = False
    project_root: ProjectRoot = ""
    osc7501: Annotated[bool, Flag(help="states as program status records to the terminal", acts=True)] = False
    once: Annotated[bool, Flag(help="end after the first notice")] = False


class WatchResult(Answer):
    """The end of a watch with --once."""

    notices: int


def run(args: Args, ctx: Context) -> WatchResult:
    kinds = parse_kinds(args.on)
    project = ctx.project(args.project_root)
    with ExitStack() as stack:
        sinks = []
        for target in args.notify:
            sinks.append(notice_sinks.open_sink(ctx, project, target))
            stack.callback(sinks[-1].close)
        reporter = None
        if args.osc7501:
            reporter = ProgramReporter(ctx)
            stack.callback(reporter.close)
        for step in FleetWatch(ctx, project, kinds=kinds, all_projects=args.all_projects).follow():
            for sink in sinks:
                sink.show(step.found.statuses)
            if reporter is not None:
                reporter.report(step.found)
            for notice in step.notices:
                _print_notice(ctx, notice)
                for sink in sinks:
                    sink.send(notice)
            _draw(ctx, step)
            if args.once and step.notices:
                return WatchResult(notices=len(step.notices))
    return WatchResult(notices=0)


def parse_kinds(words: str) -> tuple[NoticeKind, ...]:
    """Return the kinds of a list. Raise UsageError(invalid_on)."""
    given = [word.strip() for word in words.split(",") if word.strip()]
    found = tuple(kind for kind in NOTICE_KINDS if kind in given or "all" in given)
    unknown = [word for word in given if word != "all" and word not in NOTICE_KINDS]
    if unknown or not found:
        raise UsageError(
            "invalid_on", f"invalid --on: {','.join(unknown) or words} (expected {','.join(NOTICE_KINDS)})"
        )
    return found


def _print_notice(ctx: Context, notice: SessionNotice) -> None:
    if ctx.output_format != "text":
        ctx.emit(notice)
    else:
        line = csv.format_line((notice.kind, notice.session, notice.agent, notice.text, notice.command))
        ctx.live_display.write_line(line)


def _draw(ctx: Context, step: WatchStep) -> None:
    screen = ctx.live_display.screen
    if screen is None:
        return
    now = ctx.clock.now()
    rows = [
        status_table.build_row(status, seconds=status_table.seconds_in_state(status, now))
        for status in step.found.statuses
    ]
    ctx.live_display.show_rows(["", *status_table.format_rows(rows, screen, is_live=True)] if rows else [])


COMMAND = Command(
    group="fleet",
    reads=True,
    args=Args,
    answer=WatchResult,
    run=run,
    text=lambda answer, args: "",
    newline=False,
    live=True,
    events=SessionNotice,
    errors=(*notice_sinks.ERRORS, "invalid_on", "session_list_failed"),
    exits={0: "one notice was given (--once)", 1: "refused; see the message or errorCode", 130: "Ctrl-C"},
    example="lisa watch --notify term\n"
    "lisa watch --all-projects --on asks,failed --notify env:NTFY_URL\n"
    "lisa watch --notify 'exec:notify-send \"$(jq -r .title)\"'",
    notes="""\
One notice per transition and at most one per session and 10 seconds; none while a terminal shows the session. Sessions
that ask, are lost or at a limit when the watch begins are reported, too. On a terminal a table of all sessions stays
below the notices; on a pipe each notice is a CSV line, with --json a JSON line.

Sinks: term notifies by the terminal (OSC 9, 99 or 777, else the bell). tmux keeps the counts in the option @lisa of the
tmux around it, for a status line with '#{@lisa}'. exec:CMD runs a shell command with the notice as JSON on its standard
input. An https address gets it as JSON, signed as those of session monitor --webhook. Other URLs are those of apprise,
with the extra `notify`. env:NAME, file:PATH and secret://NAME name a sink that is kept elsewhere, since an address with
a token does not belong on a command line.

--osc7501 reports the fleet and each session to the terminal in the Program Status Protocol (OSC 7501), and removes the
records at the end; inside tmux the option allow-passthrough has to be on.""",
)
