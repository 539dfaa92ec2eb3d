"""Print the handoff of a session: state, next action and recent events."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, structs

from lisa_py import agents
from lisa_py.contract import flags
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import AgentHint, ModeHint, ProjectRoot, Session
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.handoff import handoff
from lisa_py.core.handoff.handoff import Handoff, HandoffRequest
from lisa_py.core.output.events import EventReader


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    agent: AgentHint = "auto"
    mode: ModeHint = "auto"
    events: flags.Events = 8
    delta_from: Annotated[int | None, Flag(help="only events after this number (nextDeltaOffset)", minimum=0)] = None
    cursor_file: flags.CursorFile = ""
    cursor_reset: flags.CursorReset = False
    compress: Annotated[
        str,
        Flag(help="compression of the payload", choices=("none", "zstd"), code="invalid_compress_mode"),
    ] = "none"
    schema: Annotated[
        str,
        Flag(
            help="v2 adds objects, v3 ids, v4 the command tree",
            choices=handoff.SCHEMAS,
            aliases={"": "v1", "1": "v1", "2": "v2", "3": "v3", "4": "v4"},
        ),
    ] = "v1"
    redact: flags.Redact = ""


def run(args: Args, ctx: Context) -> Handoff:
    reader = EventReader(ctx, args.delta_from, args.cursor_file, reset=args.cursor_reset)
    request = copy_fields(
        args, HandoffRequest, compress=args.compress == "zstd", agent=agents.parse_agent_hint(args.agent)
    )
    return handoff.build(ctx, ctx.ref(args.session, args.project_root), request, reader)


def minimize(answer: Handoff, args: Args) -> Handoff:
    """Return the fields for polling loops; events only in a delta."""
    return structs.replace(
        answer,
        project_root=UNSET,
        dropped_recent=UNSET,
        cursor_file=UNSET,
        agent_state=UNSET,
        recent=answer.recent if answer.wants_delta else UNSET,
    )


def text(answer: Handoff, args: Args) -> str:
    lines = [answer.summary]
    if answer.recent:
        lines.append("recent:")
        lines += [f"- {item.at} {item.type} {item.state} {item.reason}" for item in answer.recent]
    if answer.wants_delta:
        lines.append(f"delta_from={answer.delta_from} next_delta_offset={answer.next_delta_offset}")
    return "\n".join(lines)


COMMAND = Command(
    group="handing_on",
    args=Args,
    answer=Handoff,
    run=run,
    text=text,
    min=minimize,
    exit_code=lambda answer: 0 if answer.error_code is UNSET else 1,
    errors=(
        "invalid_cursor_file",
        "handoff_delta_read_failed",
        "cursor_file_write_failed",
        "handoff_schema_v2_required",
        "handoff_compress_failed",
    ),
    example="lisa session handoff --session lisa-demo-1 --cursor-file /tmp/demo.cursor --json-min",
    notes="""\
Event numbers only grow, so a cursor stays valid when the log is trimmed. With --delta-from or --cursor-file the oldest
unread events come first, --events at a time: `deltaRemaining` counts those left for the next call and `deltaMissed`
those trimmed before they were read. `nextOffset` is the `--delta-from` of `capture --raw`. --redact is applied to every
field, also in a compressed payload; the rule paths also removes the project folder.""",
)
