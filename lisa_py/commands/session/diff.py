"""Show all changes in the worktree of a session since its base."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import worktree_changes
from lisa_py.core.lifecycle.worktree_changes import DiffSummary


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    stat: Annotated[bool, Flag(help="list of files, before the patch of --patch")] = False
    patch: Annotated[bool, Flag(help="patch of all changes")] = False


def run(args: Args, ctx: Context) -> DiffSummary:
    return worktree_changes.compare_worktree(ctx, ctx.record_ref(args.session, args.project_root), patch=args.patch)


def text(answer: DiffSummary, args: Args) -> str:
    lines = []
    if args.stat or not args.patch:
        for each in answer.files:
            numbers = "binary" if each.added is UNSET else f"+{each.added} -{each.removed}"
            lines.append(f"{numbers}\t{each.path}")
        files, commits = answer.changed, answer.commits
        lines.append(
            f"{files} file{'' if files == 1 else 's'}, +{answer.added} -{answer.removed},"
            f" {commits} commit{'' if commits == 1 else 's'} ahead of {answer.base}"
        )
    lines += [f"left out: {warning}" for warning in answer.warnings or ()]
    if answer.patch:
        lines.append(answer.patch.rstrip("\n"))
    return "\n".join(lines)


COMMAND = Command(
    group="handing_on",
    args=Args,
    answer=DiffSummary,
    run=run,
    text=text,
    min=("session", "branch", "commits", "changed", "added", "removed"),
    errors=("no_worktree", "git_failed"),
    example="lisa session diff --session lisa-demo-1 --patch",
    notes="For sessions of session spawn --worktree, also lost, ended and killed ones whose worktree stays."
    " Committed, uncommitted and untracked changes count, ignored files"
    " do not, compared with the newest common commit of base and worktree. Nothing is changed, not even the index.",
)
