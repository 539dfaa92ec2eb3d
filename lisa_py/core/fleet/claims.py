"""Task claims: held while a session lives, or for a short lease before it is spawned."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.core.status import status_reader
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import task_claims
from lisa_py.store.paths import SESSION_NAME, Project, SessionRef
from lisa_py.store.task_claims import Claim, Claims

LEASE_SECONDS = 300.0
"""Seconds a claim holds for a session that does not exist yet."""
_ENDED_STATES = ("completed", "crashed", "not_found")


class ClaimResult(Struct, frozen=True, kw_only=True):
    """Result of a query, claim or release."""

    holder: Claim | None = None
    """Session that holds the task now."""
    duplicate: bool = False
    """True if another live session holds it."""
    claimed: bool = False
    released: bool = False
    recovered: bool = False


def query(ctx: Context, project: Project, task: str) -> ClaimResult:
    """Return the holder of the task; nothing is written."""
    content = task_claims.registry(project, ctx.settings).read()
    holder = content.items.get(task)
    if holder is None or _find_stale(ctx, project, (holder,)):
        return ClaimResult()
    return ClaimResult(holder=holder, duplicate=True)


def claim(ctx: Context, project: Project, task: str, session: str, root: str) -> ClaimResult:
    """Claim the task for a session unless another live one holds it; two callers never both succeed."""
    with task_claims.registry(project, ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
        _prune(ctx, project, opened.content)
        holder = opened.content.items.get(task)
        if holder is not None and holder.session != session:
            return ClaimResult(holder=holder, duplicate=True, recovered=bool(opened.recovered))
        now = ctx.clock.now()
        mine = Claim(session=session, project_root=root, claimed_at=format_rfc3339(now), claimed_unix=now)
        opened.content.items[task] = mine
        opened.content.updated_at = format_rfc3339(now)
    return ClaimResult(holder=mine, claimed=True, recovered=bool(opened.recovered))


def release(ctx: Context, project: Project, task: str) -> ClaimResult:
    """Release the task; repeated releases have no effect."""
    with task_claims.registry(project, ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
        _prune(ctx, project, opened.content)
        opened.content.items.pop(task, None)
        opened.content.updated_at = format_rfc3339(ctx.clock.now())
    return ClaimResult(released=True, recovered=bool(opened.recovered))


def _prune(ctx: Context, project: Project, content: Claims) -> None:
    stale = {id(held) for held in _find_stale(ctx, project, content.items.values())}
    for task in [task for task, held in content.items.items() if id(held) in stale]:
        del content.items[task]


def _find_stale(ctx: Context, project: Project, held: Iterable[Claim]) -> list[Claim]:
    """Return the claims of ended sessions; none while tmux cannot be queried."""
    every = [claim for claim in held if SESSION_NAME.match(claim.session)]
    where = [SessionRef(ctx.project(claim.project_root or project.root), claim.session) for claim in every]
    try:
        states = status_reader.read_status_list(ctx, where)
    except TmuxUnavailable:
        return []
    now = ctx.clock.now()
    return [
        claim
        for claim, status in zip(every, states, strict=True)
        if status.session_state in _ENDED_STATES
        and not (status.session_state == "not_found" and now - claim.claimed_unix < LEASE_SECONDS)
    ]
