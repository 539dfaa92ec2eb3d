"""End a session and its child sessions; an archive remains."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.errors import UsageError, session_not_found
from lisa_py.contract.flags import AllHashes, NoArchive, ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import kill, worktree_end
from lisa_py.core.lifecycle.kill import EndRequest, KillResult


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    cleanup_all_hashes: AllHashes = False
    no_archive: NoArchive = False
    keep_worktree: Annotated[bool, Flag(help="no removal of the session's worktree")] = False
    discard_worktree: Annotated[bool, Flag(help="removal of the worktree with its uncommitted changes")] = False


def run(args: Args, ctx: Context) -> KillResult:
    if args.keep_worktree and args.discard_worktree:
        raise UsageError("worktree_conflict", "give either --keep-worktree or --discard-worktree")
    ref = ctx.ref(args.session, args.project_root)
    result = kill.kill_session(
        ctx,
        ref,
        all_hashes=args.cleanup_all_hashes or ctx.settings.cleanup_all_hashes,
        request=EndRequest(
            archive=not args.no_archive,
            worktree="keep" if args.keep_worktree else "discard" if args.discard_worktree else "remove",
        ),
    )
    for problem in result.errors or ():
        ctx.warn(f"kill: {problem}")
    for ended in result.worktrees or ():
        if not ended.removed:
            ctx.warn(f"kill: {worktree_end.describe_kept(ended)}")
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
    errors=("session_kill_failed", "worktree_conflict"),
    example="lisa session kill --session lisa-demo-1",
    notes="""\
The sessions that it has spawned end first, also those in other projects. All processes of a run, and of the kernel
session of its pane, get TERM and three seconds later KILL. `left` lists processes that still run: they cannot be ended,
or may belong to something else. If tmux does not answer, nothing is ended and nothing is removed.
An archive of the record and the conversation is kept as long as events (LISA_EVENT_RETENTION_DAYS): session history
and session get work with the name until a new session has it, and with the id (`archive`) after that; session forget
removes it.
A worktree of session spawn --worktree is removed if no process works in it, nothing is uncommitted, and its commits are
in the base or pushed; else it stays, and `worktrees` has the reason and a command. Its branch is removed if all its
commits are in the base. --discard-worktree discards uncommitted changes, never a commit; a locked worktree is always
kept.""",
)
