"""Claiming a task: one session holds it while that session lives, or for a short lease before it is spawned."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.core.watch import look
from lisa_py.host.clock import rfc3339
from lisa_py.store import claims
from lisa_py.store.claims import Claim, Claims
from lisa_py.store.places import NAME, Place, Project

LEASE_SECONDS = 300.0
"""How long a claim holds for a session that does not exist (yet): a caller may claim first and spawn then."""
_ENDED = ("completed", "crashed", "not_found")


class Held(Struct, frozen=True, kw_only=True):
    """What came of a query, claim or release."""

    holder: Claim | None = None
    """Who holds the task now."""
    duplicate: bool = False
    """Another living session holds it."""
    claimed: bool = False
    released: bool = False
    recovered: bool = False


def query(ctx: Context, project: Project, task: str) -> Held:
    """Who holds the task; nothing is written."""
    content = claims.registry(project, ctx.settings).read()
    holder = content.items.get(task)
    if holder is None or _stale(ctx, project, (holder,)):
        return Held()
    return Held(holder=holder, duplicate=True)


def claim(ctx: Context, project: Project, task: str, session: str, root: str) -> Held:
    """Take the task for a session unless another living one holds it; two claimers never both win."""
    with claims.registry(project, ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
        _prune(ctx, project, opened.content)
        holder = opened.content.items.get(task)
        if holder is not None and holder.session != session:
            return Held(holder=holder, duplicate=True, recovered=bool(opened.recovered))
        now = ctx.clock.now()
        mine = Claim(session=session, project_root=root, claimed_at=rfc3339(now), claimed_unix=now)
        opened.content.items[task] = mine
        opened.content.updated_at = rfc3339(now)
    return Held(holder=mine, claimed=True, recovered=bool(opened.recovered))


def release(ctx: Context, project: Project, task: str) -> Held:
    """Give the task back; done twice is done once."""
    with claims.registry(project, ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
        _prune(ctx, project, opened.content)
        opened.content.items.pop(task, None)
        opened.content.updated_at = rfc3339(ctx.clock.now())
    return Held(released=True, recovered=bool(opened.recovered))


def _prune(ctx: Context, project: Project, content: Claims) -> None:
    stale = {id(held) for held in _stale(ctx, project, content.items.values())}
    for task in [task for task, held in content.items.items() if id(held) in stale]:
        del content.items[task]


def _stale(ctx: Context, project: Project, held: Iterable[Claim]) -> list[Claim]:
    """Claims of sessions that have ended; while tmux cannot be asked none is."""
    every = [claim for claim in held if NAME.match(claim.session)]
    where = [Place(ctx.project(claim.project_root or project.root), claim.session) for claim in every]
    try:
        states = look.each(ctx, where)
    except TmuxUnavailable:
        return []
    now = ctx.clock.now()
    return [
        claim
        for claim, status in zip(every, states, strict=True)
        if status.session_state in _ENDED
        and not (status.session_state == "not_found" and now - claim.claimed_unix < LEASE_SECONDS)
    ]
