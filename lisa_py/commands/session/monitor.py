"""Wait until a session has finished, asks or fails."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, structs

from lisa_py.contract import csv, flags
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import AgentHint, ModeHint, ProjectRoot, Session
from lisa_py.contract.projection import copy_fields
from lisa_py.core.advice import person
from lisa_py.core.context import Context
from lisa_py.core.handoff.monitor_stream import MonitorHandoff
from lisa_py.core.wait import stop_rules
from lisa_py.core.workflows import monitor_report, monitor_text
from lisa_py.core.workflows.monitor_report import MonitorResult, PollEvent, ReportOptions
from lisa_py.terminal.table import Screen


class Args(Struct, kw_only=True):
    session: Session
    agent: AgentHint = "auto"
    mode: ModeHint = "auto"
    project_root: ProjectRoot = ""
    poll_interval: flags.PollInterval = 30
    adaptive_poll: Annotated[bool, Flag(help="adaptive report interval")] = False
    max_polls: flags.MaxPolls = 120
    timeout_seconds: flags.TimeoutSeconds = None
    stop_on_waiting: flags.StopOnWaiting = True
    waiting_requires_turn_complete: flags.TurnComplete = False
    until_marker: flags.UntilMarker = ""
    until_state: flags.UntilState = ""
    until_jsonpath: flags.UntilJsonpath = ""
    expect: flags.Expect = "any"
    stream_json: Annotated[bool, Flag(help="one JSON line per poll and change, before the result", json=True)] = False
    emit_handoff: Annotated[
        bool, Flag(help="with --stream-json: a compact handoff line after each poll", json=True)
    ] = False
    handoff_cursor_file: Annotated[
        str, Flag(help="with --emit-handoff: file with the last reported event", metavar="PATH", acts=True)
    ] = ""
    cursor_reset: flags.CursorReset = False
    event_budget: Annotated[
        int | None, Flag(help="with --emit-handoff: tokens of events per line (32 each)", minimum=1)
    ] = None
    webhook: Annotated[
        str, Flag(help="file or URL that receives polls and the result", metavar="TARGET", acts=True)
    ] = ""
    auto_recover: flags.AutoRecover = False
    recover_max: flags.RecoverMax = 1
    recover_budget: flags.RecoverBudget = None
    on_limit: flags.OnLimit = ""
    verbose: Annotated[bool, Flag(help="one line per poll on stderr")] = False


def run(args: Args, ctx: Context) -> MonitorResult:
    watch_rules = structs.replace(stop_rules.build_stop_rules(args, ctx.given_fields), adaptive=args.adaptive_poll)
    report_options = _build_report_options(args)
    ref = ctx.ref(args.session, args.project_root)
    result = monitor_report.monitor_and_report(ctx, ref, watch_rules, report_options)
    person.warn_about_wait(ctx, ref, monitor_text.read_situation(result))
    return result


def _build_report_options(args: Args) -> ReportOptions:
    if args.emit_handoff and not args.stream_json:
        raise UsageError("emit_handoff_requires_stream_json", "--emit-handoff requires --stream-json")
    if args.event_budget is not None and not args.emit_handoff:
        raise UsageError("event_budget_requires_emit_handoff", "--event-budget requires --emit-handoff")
    if args.handoff_cursor_file and not args.emit_handoff:
        raise UsageError("handoff_cursor_requires_emit_handoff", "--handoff-cursor-file requires --emit-handoff")
    return copy_fields(args, ReportOptions, stream=args.stream_json, event_budget=args.event_budget or 0)


def text(answer: MonitorResult, args: Args) -> str:
    return csv.format_line(
        (
            answer.final_state,
            answer.todos_done,
            answer.todos_total,
            "" if answer.output_file is UNSET else answer.output_file,
            answer.exit_reason,
            answer.polls,
            answer.final_status,
        )
    )


def format_terminal(answer: MonitorResult, args: Args, screen: Screen) -> str:
    """Return the result in words."""
    return monitor_text.format_result(answer, screen)


COMMAND = Command(
    group="daily",
    reads=True,
    args=Args,
    answer=MonitorResult,
    run=run,
    text=text,
    terminal=format_terminal,
    min=(
        "session",
        "final_state",
        "exit_reason",
        "polls",
        "waiting_for",
        "state_detail",
        "choices",
        "resume_command",
        "next_offset",
        "webhook_error",
        "error_code",
    ),
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 2,
    events=(PollEvent, MonitorHandoff),
    errors=(
        *stop_rules.ERRORS,
        "invalid_webhook",
        "invalid_cursor_file",
        "cursor_file_write_failed",
        "handoff_stream_failed",
        "emit_handoff_requires_stream_json",
        "event_budget_requires_emit_handoff",
        "handoff_cursor_requires_emit_handoff",
        "monitor_expectation_mismatch",
        "monitor_timeout",
        "monitor_crashed",
        "monitor_stuck",
        "monitor_not_found",
        "usage_limit_reached",
    ),
    exits={
        0: "it completed, waits for input, or a --until-... condition is met",
        1: "refused",
        2: "crashed, stuck, not found, at a usage limit, time or polls exhausted, or not as --expect requires",
        130: "Ctrl-C; the session keeps running",
    },
    example="""\
lisa session monitor --session lisa-demo-1
lisa session monitor --session lisa-demo-1 --until-marker DONE --timeout-seconds 600 --json""",
    notes="""\
It reacts at once to events (end of the agent, end of a turn, a question); --poll-interval only sets the pace of the
reports of --stream-json, --verbose and --webhook. A failing webhook does not end it; webhookError has the error. With
LISA_WEBHOOK_SECRET set, HTTP events carry X-Lisa-Signature (HMAC-SHA256 of the body).""",
)
