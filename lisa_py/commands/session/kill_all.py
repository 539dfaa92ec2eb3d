"""End every session of a project."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import AllHashes, NoArchive, ProjectRoot
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import kill, worktree_end
from lisa_py.core.lifecycle.kill import EndRequest, KillAllResult


class Args(Struct, kw_only=True):
    project_root: ProjectRoot = ""
    project_only: Annotated[bool, Flag(help="only sessions with metadata in this project")] = False
    cleanup_all_hashes: AllHashes = False
    no_archive: NoArchive = False


def run(args: Args, ctx: Context) -> KillAllResult:
    project = ctx.project(args.project_root)
    result = kill.kill_all_sessions(
        ctx,
        project,
        project_only=args.project_only,
        all_hashes=args.cleanup_all_hashes or ctx.settings.cleanup_all_hashes,
        request=EndRequest(archive=not args.no_archive),
    )
    for problem in result.errors or ():
        ctx.warn(f"kill-all: {problem}")
    for ended in result.worktrees or ():
        if not ended.removed:
            ctx.warn(f"kill-all: {worktree_end.describe_kept(ended)}")
    for problem in result.archive_errors or ():
        ctx.warn(f"kill-all: no archive was kept of {problem}")
    return result


def text(answer: KillAllResult, args: Args) -> str:
    return f"killed {answer.killed} session{'' if answer.killed == 1 else 's'}"


COMMAND = Command(
    group="fleet",
    args=Args,
    answer=KillAllResult,
    run=run,
    text=text,
    min=("ok", "killed", "total", "error_code"),
    exit_code=lambda answer: 0 if answer.ok else 1,
    exits={0: "none is left", 1: "some could not be ended, or tmux could not be queried"},
    errors=("session_kill_all_failed",),
    example="lisa session kill-all --project-only",
)
