"""Follow the conversation of a session live."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import (
    AllFrames,
    FrameLimit,
    Interactive,
    ProjectRoot,
    RawFrames,
    ReadOnly,
    Session,
    SinceFrame,
)
from lisa_py.contract.live import LiveFrame
from lisa_py.contract.projection import copy_fields
from lisa_py.core.context import Context
from lisa_py.core.live.attach_session import AttachRequest, AttachResult, attach_session


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    raw: RawFrames = False
    no_history: Annotated[bool, Flag(help="only frames from now on")] = False
    since: SinceFrame = ""
    limit: FrameLimit = 0
    verbose: AllFrames = False
    read_only: ReadOnly = False
    interactive: Interactive = False


def run(args: Args, ctx: Context) -> AttachResult:
    ref = ctx.record_ref(args.session, args.project_root)
    is_raw = args.raw or ctx.output_format != "text"
    request = copy_fields(args, AttachRequest, shown_id=ref.session, raw=is_raw, history=not args.no_history)
    return attach_session(ctx, ref, request)


COMMAND = Command(
    group="daily",
    reads=True,
    args=Args,
    answer=AttachResult,
    run=run,
    text=lambda answer, args: "",
    newline=False,
    live=True,
    events=LiveFrame,
    errors=("archive_unreadable", "invalid_cursor", "session_not_found"),
    exits={0: "the session has ended, or the reader has left", 1: "refused or failed; see the message or errorCode"},
    example="lisa session attach --session lisa-demo-1 --interactive\n"
    "lisa session attach --session lisa-demo-1 --raw --since CURSOR",
    notes="""\
It prints what is recorded, then every further frame until the session ends; Ctrl-C leaves, and the session keeps
running. Each frame has a cursor: with --since a later call continues behind it, without a gap and without a repeat,
also after a restart of anything.

With --interactive each line of standard input is a prompt, delivered as by lisa session send; a failure is shown with
the text. /interrupt ends the agent's turn; /quit, the end of the input and Ctrl-C leave. While a dialog is open, the
next line answers it: y, n, session, a number, a label or a text; up to 20 prompts wait until it is closed.

The frames of a session without a transcript (--command) are the settled lines of its pane.""",
)
