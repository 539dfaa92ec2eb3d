"""Dispatch queue: sessions by urgency, in waves."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType, structs

from lisa_py.contract import command_line
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.advice import next_step, target
from lisa_py.core.context import Context
from lisa_py.core.fleet import discover
from lisa_py.core.status import status_reader
from lisa_py.store.paths import Project, SessionRef

DEFAULT_BUDGET = 320
AMBIGUOUS = "ambiguous_project_root"


class QueueItem(Answer):
    """One session and its suggested action."""

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


class DispatchWave(Struct, frozen=True, kw_only=True):
    """Sessions to serve together."""

    wave: int
    concurrency: int
    sessions: tuple[str, ...]


class DispatchQueue(Struct, frozen=True):
    """All sessions, most urgent first."""

    items: tuple[QueueItem, ...]
    waves: tuple[DispatchWave, ...]


def build_queue(
    ctx: Context, project: Project, names: Sequence[str], root: str, *, budget: int, limit: int, concurrency: int
) -> DispatchQueue:
    """Build the queue of the named sessions, else of all of the project. Raise LisaError(queue_build_failed)."""
    refs, items = _select_sessions(ctx, project, names, root, budget)
    for ref, status in zip(refs, status_reader.read_status_list(ctx, refs), strict=True):
        items.append(_build_item(ctx, ref, status_reader.normalise_status(status), budget))
    items.sort(key=lambda item: (-item.priority_score, item.session))
    scheduled = [_assign_wave(item, index, concurrency) for index, item in enumerate(items[: limit or None])]
    waves = sorted({item.dispatch_wave for item in scheduled})
    return DispatchQueue(
        tuple(scheduled),
        tuple(
            DispatchWave(
                wave=wave,
                concurrency=concurrency,
                sessions=tuple(item.session for item in scheduled if item.dispatch_wave == wave),
            )
            for wave in waves
        ),
    )


def _select_sessions(
    ctx: Context, project: Project, names: Sequence[str], root: str, budget: int
) -> tuple[list[SessionRef], list[QueueItem]]:
    """Return the references of the sessions, and items for names used in several projects."""
    if not names:
        try:
            own = ctx.settings.parent_session  # the calling session is not in its own queue
            return [ref for ref in discover.find_live_sessions(ctx, project).refs if ref.session != own], []
        except LisaError as problem:
            raise LisaError("queue_build_failed", problem.message) from problem
    refs, items = [], []
    for name in names:
        try:
            refs.append(ctx.ref(name, root))
        except LisaError as problem:
            if problem.code != AMBIGUOUS:
                raise
            items.append(_build_ambiguous_item(ctx, project, name))
    return refs, items


def _build_ambiguous_item(ctx: Context, project: Project, name: str) -> QueueItem:
    score, label = next_step.AMBIGUOUS_ROOT_PRIORITY
    binary = target.detect_binary(ctx.settings, ctx.cwd)
    line = command_line.build("session status", binary=binary, session=name, project_root=project.root, json=True)
    return QueueItem(
        session=name,
        status="unknown",
        session_state=AMBIGUOUS,
        next_action="provide_project_root",
        command=str(line),
        reason="several projects have a session of this name",
        priority_score=score,
        priority_label=label,
    )


def _build_item(ctx: Context, ref: SessionRef, status: Status, budget: int) -> QueueItem:
    situation = next_step.read_situation(status)
    step = next_step.recommend_step(situation, target.build_target(ctx, ref), budget or DEFAULT_BUDGET)
    score, label = situation.priority
    return QueueItem(
        session=ref.session,
        status=status.status,
        session_state=status.session_state,
        waiting_for=status.waiting_for or UNSET,
        next_action=step.action,
        command=step.command,
        reason=step.reason,
        priority_score=score,
        priority_label=label,
    )


def _assign_wave(item: QueueItem, index: int, concurrency: int) -> QueueItem:
    wave, slot = divmod(index, concurrency)
    return structs.replace(item, position=index + 1, dispatch_wave=wave + 1, dispatch_slot=slot + 1)
