"""The dispatch queue: which sessions want attention, in which order, and in which waves to give it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.agents.base import quote
from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.advice import examine, next_step, priority
from lisa_py.core.context import Context
from lisa_py.core.watch import fleet, look
from lisa_py.store.places import Place, Project

USUAL_BUDGET = 320
AMBIGUOUS = "ambiguous_project_root"


class Item(Struct, frozen=True, kw_only=True, rename="camel"):
    """One session and what to do about it."""

    position: int = 0
    dispatch_wave: int = 0
    dispatch_slot: int = 0
    session: str
    status: str
    session_state: str
    waiting_for: str | UnsetType = UNSET
    next_action: str
    command: str
    reason: str
    priority_score: int
    priority_label: str


class Wave(Struct, frozen=True, kw_only=True):
    """Sessions to be served together."""

    wave: int
    concurrency: int
    sessions: tuple[str, ...]


class Queue(Struct, frozen=True):
    """All of them, the most urgent first."""

    items: tuple[Item, ...]
    waves: tuple[Wave, ...]


def build(
    ctx: Context, project: Project, names: Sequence[str], root: str, *, budget: int, limit: int, concurrency: int
) -> Queue:
    """Of the sessions named, else of all that the project has. Raises LisaError(queue_build_failed)."""
    places, items = _places(ctx, project, names, root, budget)
    for place, status in zip(places, look.each(ctx, places), strict=True):
        items.append(_item(ctx, place, look.shown(status), budget))
    items.sort(key=lambda item: (-item.priority_score, item.session))
    placed = [_placed(item, index, concurrency) for index, item in enumerate(items[: limit or None])]
    waves = sorted({item.dispatch_wave for item in placed})
    return Queue(
        tuple(placed),
        tuple(
            Wave(
                wave=wave,
                concurrency=concurrency,
                sessions=tuple(item.session for item in placed if item.dispatch_wave == wave),
            )
            for wave in waves
        ),
    )


def _places(
    ctx: Context, project: Project, names: Sequence[str], root: str, budget: int
) -> tuple[list[Place], list[Item]]:
    """Where the sessions are, and items for names that live in several projects."""
    if not names:
        try:
            own = ctx.settings.parent_session  # who asks is not in the queue it works off
            return [place for place in fleet.live(ctx, project).places if place.session != own], []
        except LisaError as problem:
            raise LisaError("queue_build_failed", problem.message) from problem
    places, items = [], []
    for name in names:
        try:
            places.append(ctx.place(name, root))
        except LisaError as problem:
            if problem.code != AMBIGUOUS:
                raise
            items.append(_ambiguous(ctx, project, name))
    return places, items


def _ambiguous(ctx: Context, project: Project, name: str) -> Item:
    score, label = priority.AMBIGUOUS_ROOT
    binary = examine.patient(ctx, Place(project, name)).binary
    step = next_step.ambiguous(name, binary)
    return Item(
        session=name,
        status="unknown",
        session_state=AMBIGUOUS,
        next_action=step.action,
        command=f"{binary} session status --session {quote(name)} --project-root {quote(project.root)} --json",
        reason=step.reason,
        priority_score=score,
        priority_label=label,
    )


def _item(ctx: Context, place: Place, status: Status, budget: int) -> Item:
    patient = examine.patient(ctx, place)
    step = next_step.of(status.session_state, status.waiting_for, budget or USUAL_BUDGET, patient, status.error_kind)
    score, label = priority.of(status.session_state)
    return Item(
        session=place.session,
        status=status.status,
        session_state=status.session_state,
        waiting_for=status.waiting_for or UNSET,
        next_action=step.action,
        command=step.command,
        reason=step.reason,
        priority_score=score,
        priority_label=label,
    )


def _placed(item: Item, index: int, concurrency: int) -> Item:
    wave, slot = divmod(index, concurrency)
    return structs.replace(item, position=index + 1, dispatch_wave=wave + 1, dispatch_slot=slot + 1)
