"""Diagnose a session; a suspicion is verified by a second read."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.status import Status
from lisa_py.core.advice import anomaly
from lisa_py.core.advice.anomaly import AnomalyFinding
from lisa_py.core.context import Context
from lisa_py.core.status import status_reader
from lisa_py.store import events
from lisa_py.store.paths import SessionRef

SECOND_LOOK_SECONDS = 1.0


class AnomalyReport(Struct, frozen=True, kw_only=True):
    """Status of a session, events read, and detected problems."""

    status: Status
    events: int
    dropped: int
    """Number of log lines that could not be read."""
    findings: tuple[AnomalyFinding, ...]


def diagnose_session(ctx: Context, ref: SessionRef, count: int) -> AnomalyReport:
    """Diagnose by state and the `count` newest events. Raise LisaError(status_compute_failed)."""
    status = _read_status(ctx, ref)
    page = events.read_tail(ref, count)
    past = anomaly.build_history(page.events, ctx.clock.now())
    found = anomaly.find_anomalies(status, past, lambda: _is_stalled(ctx, ref, status))
    return AnomalyReport(status=status, events=len(page.events), dropped=page.dropped, findings=tuple(found))


def _read_status(ctx: Context, ref: SessionRef) -> Status:
    """Raise an error if tmux cannot be queried: the state of the session is unknown then."""
    status = status_reader.normalise_status(status_reader.read_status(ctx, ref))
    if status.signals.tmux_read_error:
        raise LisaError("status_compute_failed", f"tmux cannot be queried: {status.signals.tmux_read_error}")
    return status


def _is_stalled(ctx: Context, ref: SessionRef, before: Status) -> bool:
    """Return True if a second read sees no more CPU time and no new output."""
    screen = _read_screen(ctx, ref)
    ctx.clock.sleep(SECOND_LOOK_SECONDS)
    after = _read_status(ctx, ref)
    return after.agent_cpu == before.agent_cpu and _read_screen(ctx, ref) == screen


def _read_screen(ctx: Context, ref: SessionRef) -> str:
    server = ctx.server(ref)
    pane = ctx.find_pane(ref)
    return server.capture([pane.pane_id]).get(pane.pane_id, "") if pane else ""
