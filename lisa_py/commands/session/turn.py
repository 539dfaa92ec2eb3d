"""Run one turn: send a prompt, wait and pack the result."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from lisa_py.contract import flags
from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.flags import AgentHint, ModeHint, ProjectRoot, Session
from lisa_py.contract.projection import copy_fields
from lisa_py.contract.status import DialogChoice
from lisa_py.core.context import Context
from lisa_py.core.handoff import fields
from lisa_py.core.handoff.packet import Packet, PacketRequest
from lisa_py.core.output.events import EventReader
from lisa_py.core.redact.redactor import Mask
from lisa_py.core.send import send_request
from lisa_py.core.wait import stop_rules
from lisa_py.core.workflows import monitor_text
from lisa_py.core.workflows.monitor_report import MonitorResult
from lisa_py.core.workflows.turn import TurnRequest, TurnResult, TurnStep, run_turn
from lisa_py.terminal import table
from lisa_py.terminal.table import Screen


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    text: flags.Text = ""
    text_file: flags.TextFile = ""
    keys: flags.Keys = ""
    answer: flags.Answer = ""
    enter: flags.Enter = False
    force: flags.Force = False
    replace_draft: flags.ReplaceDraft = False
    agent: AgentHint = "auto"
    mode: ModeHint = "auto"
    expect: flags.Expect = "any"
    poll_interval: flags.PollInterval = 30
    max_polls: flags.MaxPolls = 120
    timeout_seconds: flags.TimeoutSeconds = None
    stop_on_waiting: flags.StopOnWaiting = True
    waiting_requires_turn_complete: flags.TurnComplete = False
    until_marker: flags.UntilMarker = ""
    until_state: flags.UntilState = ""
    until_jsonpath: flags.UntilJsonpath = ""
    auto_recover: flags.AutoRecover = False
    recover_max: flags.RecoverMax = 1
    recover_budget: flags.RecoverBudget = None
    lines: flags.Lines = 120
    events: flags.Events = 8
    token_budget: flags.TokenBudget = 320
    summary_style: flags.SummaryStyle = "ops"
    cursor_file: flags.CursorFile = ""
    cursor_reset: flags.CursorReset = False
    fields: flags.Fields = ""
    redact: flags.Redact = ""


def run(args: Args, ctx: Context) -> TurnResult:
    mask = Mask(args.redact)
    request = TurnRequest(
        payload=send_request.build_payload(ctx, args),
        rules=stop_rules.build_stop_rules(args, ctx.given_fields),
        packet=copy_fields(args, PacketRequest),
        reader=EventReader(ctx, None, args.cursor_file, reset=args.cursor_reset),
        fields=fields.parse(args.fields),
    )
    return mask.mask_record(run_turn(ctx, ctx.ref(args.session, args.project_root), request))


class MinimalTurnResult(Answer):
    """Result of the turn, or of the failed step."""

    ok: bool
    session: str
    project_root: str
    final_state: str | UnsetType = UNSET
    exit_reason: str | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET
    state_detail: str | UnsetType = UNSET
    choices: tuple[DialogChoice, ...] | UnsetType = UNSET
    status: str | UnsetType = UNSET
    session_state: str | UnsetType = UNSET
    next_action: str | UnsetType = UNSET
    failed_step: TurnStep | UnsetType = UNSET
    step_error_code: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


def minimize(answer: TurnResult, args: Args) -> MinimalTurnResult:
    minimal = copy_fields(answer, MinimalTurnResult)
    if isinstance(answer.monitor, MonitorResult):
        minimal = replace(minimal, exit_reason=answer.monitor.exit_reason)
    if not answer.ok:
        return minimal
    if isinstance(answer.packet, Packet):
        packet = answer.packet
        minimal = replace(
            minimal, status=packet.status, session_state=packet.session_state, next_action=packet.next_action
        )
    elif isinstance(answer.packet, dict):
        packet_fields = answer.packet
        key_names = (("status", "status"), ("session_state", "sessionState"), ("next_action", "nextAction"))
        minimal = replace(minimal, **{name: packet_fields[key] for name, key in key_names if key in packet_fields})
    return minimal


def format_terminal(answer: TurnResult, args: Args, screen: Screen) -> str:
    """Return the outcome in words, with the summary of the packet."""
    lines = []
    if isinstance(answer.monitor, MonitorResult):
        lines.append(monitor_text.format_result(answer.monitor, screen))
    if not answer.ok:
        lines.insert(0, screen.paint(table.ALERT, f"{answer.failed_step} failed: {answer.error}"))
    if isinstance(answer.packet, Packet):
        lines += ["", answer.packet.summary]
    elif isinstance(answer.packet, dict):
        lines += ["", *(f"{key}: {value}" for key, value in answer.packet.items())]
    return "\n".join(lines)


COMMAND = Command(
    group="daily",
    args=Args,
    answer=TurnResult,
    run=run,
    terminal=format_terminal,
    min=minimize,
    exit_code=lambda answer: answer.exit_code,
    errors=(
        *send_request.ERRORS,
        *stop_rules.ERRORS,
        "turn_send_failed",
        "turn_monitor_failed",
        "turn_packet_failed",
        "invalid_fields",
        "invalid_cursor_file",
        "cursor_file_write_failed",
    ),
    exits={
        0: "all three steps succeeded",
        1: "refused, or the send or the packet failed (failedStep)",
        2: "the wait failed: crashed, not found, timeout, or not as --expect requires",
        130: "Ctrl-C; the session keeps running",
    },
    example='lisa session turn --session lisa-demo-1 --text "Continue from the last blocker" --enter --json-min',
    notes="The answer is always JSON, but words on a terminal without --json. "
    "A failed step ends the turn; failedStep names it and its answer is included.",
)
