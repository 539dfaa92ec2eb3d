"""Open the terminal of a session with tmux itself."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command
from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.contract.flags import ProjectRoot, ReadOnly, Session
from lisa_py.core.context import Context
from lisa_py.host import env


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    read_only: ReadOnly = False


class TerminalResult(Answer):
    """Never returned: tmux replaces this process."""

    session: str


def run(args: Args, ctx: Context) -> TerminalResult:
    ref = ctx.ref(args.session, args.project_root)
    pane = ctx.find_pane(ref)
    if pane is None:
        raise session_not_found(ref.session, ref.project.root)
    if not env.has_terminal():
        raise LisaError(
            "no_terminal",
            "session terminal needs a terminal on standard input and output; lisa session attach follows a session"
            " without one",
            session=ref.session,
        )
    ctx.warn("C-b d leaves; the session keeps running")
    ctx.server(ref).become_client(ref.session, read_only=args.read_only, size=(pane.width, pane.height))


COMMAND = Command(
    group="live",
    args=Args,
    answer=TerminalResult,
    run=run,
    text=lambda answer, args: "",
    errors=("no_terminal", "session_not_found"),
    exits={0: "tmux was left with C-b d", 1: "refused or failed; see the message or errorCode"},
    example="lisa session terminal --session lisa-demo-1\nlisa session terminal --session lisa-demo-1 --read-only",
    notes="""\
It runs tmux attach on the socket of the project: keys go to the agent directly, unless --read-only is given. C-b d
leaves, and the session keeps running in the size that it had. lisa session attach shows the conversation instead.""",
)
