"""Claim a task for a session, so that no other session does it."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.command import Command, Flag
from lisa_py.contract.flags import ProjectRoot
from lisa_py.core.context import Context
from lisa_py.core.fleet import claims
from lisa_py.core.fleet.claims import ClaimResult


class Args(Struct, kw_only=True):
    task_hash: Annotated[str, Flag(help="task id, such as a hash of its text", metavar="HASH")]
    session: Annotated[str, Flag(help="session that claims the task", metavar="NAME")] = ""
    release: Annotated[bool, Flag(help="release of the task")] = False
    project_root: ProjectRoot = ""


class DedupeResult(Answer):
    task_hash: str
    duplicate: bool
    project_root: str
    claimed: bool | UnsetType = UNSET
    released: bool | UnsetType = UNSET
    existing_session: str | UnsetType = UNSET
    existing_root: str | UnsetType = UNSET
    claimed_at: str | UnsetType = UNSET
    recovered: bool | UnsetType = UNSET
    error_code: str | UnsetType = UNSET


def run(args: Args, ctx: Context) -> DedupeResult:
    task, project = args.task_hash.strip(), ctx.project(args.project_root)
    if args.release:
        claim = claims.release(ctx, project, task)
    elif args.session.strip():
        ref = ctx.ref(args.session.strip(), args.project_root)
        claim = claims.claim(ctx, project, task, ref.session, ref.project.root)
    else:
        claim = claims.query(ctx, project, task)
    return _build_result(task, project.root, claim)


def _build_result(task: str, root: str, claim: ClaimResult) -> DedupeResult:
    holder = claim.holder
    return DedupeResult(
        task_hash=task,
        duplicate=claim.duplicate,
        project_root=root,
        claimed=claim.claimed or UNSET,
        released=claim.released or UNSET,
        existing_session=holder.session if holder else UNSET,
        existing_root=holder.project_root if holder else UNSET,
        claimed_at=holder.claimed_at if holder else UNSET,
        recovered=claim.recovered or UNSET,
        error_code="task_duplicate_detected" if claim.duplicate else UNSET,
    )


def text(answer: DedupeResult, args: Args) -> str:
    if answer.released is True:
        return "released"
    if answer.existing_session is UNSET:
        return "none"
    if answer.duplicate and args.session.strip():
        return f"held by {answer.existing_session} since {answer.claimed_at}"
    return str(answer.existing_session)


COMMAND = Command(
    group="fleet",
    args=Args,
    answer=DedupeResult,
    run=run,
    text=text,
    min=("task_hash", "duplicate", "claimed", "released", "existing_session", "error_code"),
    exit_code=lambda answer: 1 if answer.duplicate else 0,
    errors=(
        "task_duplicate_detected",
        "dedupe_registry_read_failed",
        "dedupe_registry_write_failed",
    ),
    exits={0: "free, claimed or released", 1: "another session holds the task, or the call failed"},
    notes="A claim is valid while its session exists, and for five minutes before the session is spawned.",
    example="lisa session dedupe --task-hash 3f9a --session lisa-demo-1 && echo mine",
)
