"""End a session and its child sessions; an archive remains."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.command import Command
from lisa_py.contract.errors import session_not_found
from lisa_py.contract.flags import AllHashes, NoArchive, ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import kill
from lisa_py.core.lifecycle.kill import EndRequest, KillResult


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    cleanup_all_hashes: AllHashes = False
    no_archive: NoArchive = False


def run(args: Args, ctx: Context) -> KillResult:
    ref = ctx.ref(args.session, args.project_root)
    result = kill.kill_session(
        ctx,
        ref,
        all_hashes=args.cleanup_all_hashes or ctx.settings.cleanup_all_hashes,
        request=EndRequest(archive=not args.no_archive),
    )
    for problem in result.errors or ():
        ctx.warn(f"kill: {problem}")
    for problem in result.archive_errors or ():
        ctx.warn(f"kill: no archive was kept of {problem}")
    if not result.found and not result.errors and ctx.output_format == "text":
        raise session_not_found(ref.session, ref.project.root)
    return result


def text(answer: KillResult, args: Args) -> str:
    return "ok" if answer.ok else "failed"


COMMAND = Command(
    group="daily",
    args=Args,
    answer=KillResult,
    run=run,
    text=text,
    min=("session", "ok", "found", "error_code"),
    exit_code=lambda answer: 0 if answer.ok else 1,
    exits={0: "it is gone", 1: "it does not exist, or a part could not be ended (see errorCode)"},
    errors=("session_kill_failed",),
    example="lisa session kill --session lisa-demo-1",
    notes="""\
The sessions that it has spawned end first, also those in other projects. All processes of a run, and of the kernel
session of its pane, get TERM and three seconds later KILL. `left` lists processes that still run: they cannot be ended,
or may belong to something else. If tmux does not answer, nothing is ended and nothing is removed.
An archive of the record and the conversation is kept as long as events (LISA_EVENT_RETENTION_DAYS): session history
and session get work with the name until a new session has it, and with the id (`archive`) after that; session forget
removes it.""",
)
