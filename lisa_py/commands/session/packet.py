"""Show state, output summary and recent events in one call."""

from __future__ import annotations

from typing import Annotated, Any, cast

import msgspec
from msgspec import UNSET, Struct, structs

from lisa_py import agents
from lisa_py.contract import flags
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError
from lisa_py.contract.flags import AgentHint, ModeHint, ProjectRoot, Session
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.handoff import fields, packet
from lisa_py.core.handoff.packet import Packet, PacketDelta, PacketRequest
from lisa_py.core.output.events import EventReader


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    agent: AgentHint = "auto"
    mode: ModeHint = "auto"
    lines: flags.Lines = 120
    events: flags.Events = 8
    token_budget: flags.TokenBudget = 320
    summary_style: flags.SummaryStyle = "ops"
    cursor_file: flags.CursorFile = ""
    cursor_reset: flags.CursorReset = False
    delta_json: Annotated[bool, Flag(help="fields changed since the last packet of the cursor file", json=True)] = False
    fields: Annotated[str, Flag(help="fields to include, as dotted paths; needs --json", metavar="CSV")] = ""
    redact: flags.Redact = ""


class PacketFieldsResult(dict[str, Any]):
    """A packet reduced to the requested fields; the exit code does not depend on them."""

    failed = False


def run(args: Args, ctx: Context) -> Packet | PacketDelta | PacketFieldsResult:
    paths = parse_fields(args, ctx)
    reader = EventReader(ctx, None, args.cursor_file, reset=args.cursor_reset)
    request = copy_fields(args, PacketRequest, agent=agents.parse_agent_hint(args.agent))
    full_packet = packet.build(ctx, ctx.ref(args.session, args.project_root), request, reader)
    if args.delta_json:
        delta, known = packet.compare_packets(full_packet, reader, paths)
        reader.remember(ctx, known)
        return delta
    reader.save(ctx)
    return _select_fields(full_packet, paths) if paths else full_packet


def parse_fields(args: Args, ctx: Context) -> tuple[str, ...]:
    """Return the paths of --fields after checking the flags. Raise UsageError."""
    if args.delta_json and not args.cursor_file:
        raise UsageError("cursor_file_required_for_delta_json", "--delta-json requires --cursor-file")
    if args.fields.strip() and ctx.output_format == "text":
        raise UsageError("fields_requires_json", "--fields requires --json")
    return fields.parse(args.fields)


def _select_fields(full_packet: Packet, paths: tuple[str, ...]) -> PacketFieldsResult:
    answer = PacketFieldsResult(fields.project(msgspec.to_builtins(full_packet), paths))
    if full_packet.error_code is not UNSET:
        answer["errorCode"] = full_packet.error_code  # a failure is reported whatever fields are selected
    answer.failed = has_failed(full_packet)
    return answer


def has_failed(answer: Packet | PacketDelta | PacketFieldsResult) -> bool:
    return answer.failed if isinstance(answer, PacketFieldsResult) else answer.error_code is not UNSET


def minimize(answer: Packet | PacketDelta | PacketFieldsResult, args: Args) -> Packet | PacketDelta:
    """Return the fields for polling loops."""
    if isinstance(answer, Packet):
        events = UNSET if answer.handoff is UNSET else answer.handoff.events
        return structs.replace(
            answer, project_root=UNSET, capture=UNSET, handoff=UNSET, cursor_file=UNSET, recent=events
        )
    if isinstance(answer, PacketDelta):
        return structs.replace(answer, cursor_file=UNSET)
    return cast("Packet", answer)  # selected fields are small enough


def text(answer: Packet, args: Args) -> str:
    head = f"state={answer.session_state} status={answer.status} reason={answer.reason} next={answer.next_action}"
    return f"{head}\n{answer.summary}"


COMMAND = Command(
    group="handing_on",
    args=Args,
    answer=Packet | PacketDelta,
    run=run,
    text=text,
    min=minimize,
    exit_code=lambda answer: int(has_failed(answer)),
    errors=(
        "invalid_fields",
        "fields_requires_json",
        "cursor_file_required_for_delta_json",
        "invalid_cursor_file",
        "handoff_delta_read_failed",
        "cursor_file_write_failed",
    ),
    example="lisa session packet --session lisa-demo-1 --cursor-file /tmp/demo.cursor --json-min\n"
    "lisa session packet --session lisa-demo-1 --fields session,nextAction,nextOffset --json",
    notes="""\
With --cursor-file only new events since the last packet are included; with --delta-json only changed fields. Both use
the same file with separate positions.""",
)
