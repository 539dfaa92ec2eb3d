"""Looks at a session for what is wrong with it, twice when the first look raises a suspicion."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.advice import anomaly, next_action, origin
from lisa_py.core.advice.anomaly import Finding
from lisa_py.core.advice.remedy import Patient
from lisa_py.core.context import Context
from lisa_py.core.watch import look
from lisa_py.store import events, session
from lisa_py.store.places import NAME, Place
from lisa_py.store.records import Unreadable

SECOND_LOOK_SECONDS = 1.0


class Examination(Struct, frozen=True, kw_only=True):
    """What a session is doing, what was read of its log, and what is wrong."""

    status: Status
    events: int
    dropped: int
    """Lines of the log that could not be read."""
    findings: tuple[Finding, ...]


def examine(ctx: Context, place: Place, count: int) -> Examination:
    """Judge by the session's state and its `count` newest events. Raises LisaError(status_compute_failed)."""
    status = _status(ctx, place)
    page = events.tail(place, count)
    past = anomaly.history(page.events, ctx.clock.now())
    found = anomaly.find(status, past, lambda: _stands_still(ctx, place, status))
    return Examination(status=status, events=len(page.events), dropped=page.dropped, findings=tuple(found))


def _status(ctx: Context, place: Place) -> Status:
    """A tmux that cannot be asked is no fault of the session: nothing is known of it."""
    status = look.shown(look.status(ctx, place))
    if status.signals.tmux_read_error:
        raise LisaError("status_compute_failed", f"tmux cannot be asked: {status.signals.tmux_read_error}")
    return status


def _stands_still(ctx: Context, place: Place, before: Status) -> bool:
    """Whether a second look sees no more CPU time and nothing new on the screen."""
    screen = _screen(ctx, place)
    ctx.clock.sleep(SECOND_LOOK_SECONDS)
    after = _status(ctx, place)
    return after.agent_cpu == before.agent_cpu and _screen(ctx, place) == screen


def _screen(ctx: Context, place: Place) -> str:
    server = ctx.server(place)
    pane = server.pane(place.session)
    return server.capture([pane.pane_id]).get(pane.pane_id, "") if pane else ""


def patient(ctx: Context, place: Place) -> Patient:
    """The session as advice about it needs to know it."""
    try:
        meta = session.read_meta(place) if NAME.match(place.session) else None  # a file may name anything
    except Unreadable:
        meta = None
    return Patient(
        session=place.session,
        project_root=place.project.root,
        origin=origin.of(meta, place.session),
        binary=next_action.binary(ctx.settings, ctx.cwd),
    )
