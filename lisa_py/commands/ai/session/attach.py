"""Follow the conversation of a session or chat live."""

from __future__ import annotations

from typing import Annotated

from lisa_py.contract.client_answers import DetachResult
from lisa_py.contract.client_flags import ClientArgs, SessionId, Verbose
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import RawFrames, ReadOnly
from lisa_py.contract.live import LiveFrame
from lisa_py.core.context import Context
from lisa_py.core.live import client_attach, owned_sessions


class Args(ClientArgs, kw_only=True):
    id: SessionId
    read_only: ReadOnly = False
    interactive: Annotated[
        bool, Flag(help="lines of standard input as prompts", other_spellings=("-i",), acts=True)
    ] = False
    no_history: Annotated[bool, Flag(help="only frames from now on")] = False
    raw: RawFrames = False
    verbose: Verbose = False


def run(args: Args, ctx: Context) -> DetachResult:
    root = owned_sessions.find_root(ctx, args.oid, args.project_root)
    ref = owned_sessions.find_session(ctx, args.id, root)
    outcome = client_attach.follow_session(
        ctx,
        ref,
        args.id,
        read_only=args.read_only,
        history=not args.no_history,
        raw=args.raw,
        verbose=args.verbose,
        interactive=args.interactive,
    )
    return DetachResult(session_id=args.id, ended=outcome.ended, frames=outcome.frames, cursor=outcome.cursor)


COMMAND = Command(
    group="live",
    reads=True,
    args=Args,
    answer=DetachResult,
    run=run,
    text=lambda answer, args: "",
    newline=False,
    live=True,
    events=LiveFrame,
    errors=("project_not_found", "session_not_found"),
    exits={0: "the session has ended, or the reader has left", 1: "refused or failed"},
    example="lisa ai session attach --id lisa-demo-1\nlisa ai session attach --id lisa-demo-1 --raw",
    notes="""\
Chats take input with --interactive. Sessions of the project are read-only: a notice says so, --read-only spares it.""",
)
