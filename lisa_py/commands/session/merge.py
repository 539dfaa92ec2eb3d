"""Merge the commits of a session's worktree, and remove the worktree."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot, Session
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import worktree_changes, worktree_end
from lisa_py.core.lifecycle.worktree_changes import MergeRequest, MergeSummary


class Args(Struct, kw_only=True):
    session: Session
    project_root: ProjectRoot = ""
    into: Annotated[str, Flag(help="target branch; default: the base", metavar="BRANCH")] = ""
    squash: Annotated[bool, Flag(help="one commit with all changes")] = False
    keep: Annotated[bool, Flag(help="no removal of worktree and branch")] = False


def run(args: Args, ctx: Context) -> MergeSummary:
    request = MergeRequest(into=args.into, squash=args.squash, keep=args.keep)
    merged = worktree_changes.merge_worktree(ctx, ctx.record_ref(args.session, args.project_root), request)
    if not merged.worktree.removed and not args.keep:
        ctx.warn(f"merge: {worktree_end.describe_kept(merged.worktree)}")
    return merged


def text(answer: MergeSummary, args: Args) -> str:
    commits = f"{answer.commits} commit{'' if answer.commits == 1 else 's'}"
    return f"merged {commits} of {answer.branch} into {answer.into}"


COMMAND = Command(
    group="handing_on",
    args=Args,
    answer=MergeSummary,
    run=run,
    text=text,
    min=("session", "branch", "into", "commits", "commit"),
    errors=("no_worktree", "worktree_dirty", "invalid_into", "merge_target_dirty", "merge_conflict", "git_failed"),
    example="lisa session merge --session lisa-demo-1 --squash",
    notes="For sessions of session spawn --worktree, also lost, ended and killed ones whose worktree stays."
    " It refuses a worktree or a target with uncommitted changes; a"
    " conflict leaves everything as it was. The worktree is then removed by the rules of session kill.",
)
