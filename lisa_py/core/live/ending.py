"""Find out how and why a session has ended."""

from __future__ import annotations

from signal import SIGHUP

import msgspec
from msgspec import Struct

from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import Status
from lisa_py.core import session_panes
from lisa_py.core.context import Context
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339, parse_time
from lisa_py.host.pane import Pane
from lisa_py.store import archives, live_records, session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.live_records import SessionRecord
from lisa_py.store.paths import SessionRef

START_SECONDS = 60
"""Seconds for a session to start."""


class SessionEnd(Struct, frozen=True, kw_only=True):
    """The end of a session."""

    reason: str
    detail: str = ""
    at: float = 0.0
    """Unix time; 0 if unknown."""
    exit_code: int | None = None

    @property
    def time(self) -> str:
        return format_rfc3339(self.at) if self.at else ""


def is_opening(ctx: Context, ref: SessionRef, meta: SessionMeta | None) -> bool:
    """Return True for a session whose pane is being made; its status is not_found meanwhile."""
    return meta is not None and not meta.pane_id and _is_young(ctx, ref, meta)


def _is_young(ctx: Context, ref: SessionRef, meta: SessionMeta) -> bool:
    return not files.exists(ref.start) and ctx.clock.now() - meta.created_unix <= START_SECONDS


def find_ending(ctx: Context, ref: SessionRef, meta: SessionMeta, pane: Pane | None) -> SessionEnd | None:
    """Return the end that the session had by itself; None while it lives or starts."""
    try:
        end = session_records.read_end(ref)
    except UnreadableRecord:
        end = None
    if end is not None and end.run_id == meta.run_id:
        # the end of its terminal ended it; the pane may have been read before the end of its server
        if end.signal == SIGHUP and (pane is None or session_panes.has_living_server(meta) is False):
            return _describe_loss(meta, end.at, end.code)
        detail = f"signal {end.signal}" if end.signal else ""
        return SessionEnd(reason="failed" if end.code else "completed", detail=detail, at=end.at, exit_code=end.code)
    if pane is not None and not pane.dead:
        return None
    if session_panes.find_living_process(ref, meta) is not None:
        return None
    seen = files.modified_at(ref.heartbeat)
    if pane is not None:
        return SessionEnd(reason="failed", detail="the supervisor was killed", at=seen)
    if not files.exists(ref.start):
        if _is_young(ctx, ref, meta):
            return None
        return SessionEnd(reason="startup_timeout", at=meta.created_unix + START_SECONDS)
    return _describe_loss(meta, seen)


def _describe_loss(meta: SessionMeta, at: float, exit_code: int | None = None) -> SessionEnd:
    """Return the end of a session whose pane is gone."""
    if session_panes.has_living_server(meta) is False:
        return SessionEnd(reason="heartbeat_stale", detail="the tmux server has ended", at=at, exit_code=exit_code)
    return SessionEnd(reason="job_completed", detail="the pane has vanished", at=at, exit_code=exit_code)


def find_end(ctx: Context, ref: SessionRef, identity: str, status: Status, pane: Pane | None) -> SessionEnd:
    """Return the end of a session whose status says that it has ended, also if it is being killed or was."""
    meta, record = ctx.read_meta(ref), live_records.read_readable(ref)
    if meta is None or record is None or record.id != identity:
        archive = archives.find_archive(ctx.settings, identity, ref.project.root)
        record = live_records.read_readable(archive) if archive is not None else None
        return read_end(record) if record is not None else SessionEnd(reason="user_requested")
    found = find_ending(ctx, ref, meta, pane) or SessionEnd(reason=_REASONS.get(status.session_state, "failed"))
    if record.end_reason:  # a kill was begun: what it recorded does not change
        return msgspec.structs.replace(found, reason=record.end_reason, detail=record.end_detail)
    return found


_REASONS = {"completed": "completed", "not_found": "job_completed"}


def read_end(record: SessionRecord) -> SessionEnd:
    """Return the recorded end of an archived session."""
    return SessionEnd(
        reason=record.end_reason,
        detail=record.end_detail,
        at=parse_time(record.ended_at) or 0.0,
        exit_code=record.exit_code,
    )
