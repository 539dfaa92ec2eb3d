"""Remove the archives of ended sessions."""

from __future__ import annotations

import contextlib

from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import kill
from lisa_py.core.lifecycle.kill import EndRequest
from lisa_py.core.live import ending
from lisa_py.host import files
from lisa_py.store import archives, live_records, session_folder, session_records
from lisa_py.store.paths import SESSION_ID, SessionRef


def forget_session(ctx: Context, name: str, root: str = "") -> tuple[SessionRef, tuple[str, ...]]:
    """Remove an ended session by id, or all ended ones of a name; return one of them and the ids.

    Raise LisaError(session_not_found | session_not_ended), TmuxUnavailable.
    """
    ref = ctx.record_ref(name, root)
    removed: list[str] = []
    if not ref.archive and files.exists(ref.meta):
        removed.append(_remove_ended(ctx, ref))
    if SESSION_ID.match(name):
        archived = [ref] if ref.archive else []
    else:
        archived = [found for found, _ in archives.list_archives(ref.project) if found.session == ref.session]
    for archive in archived:
        archives.remove(archive)
        removed.append(archive.archive)
    if not removed:
        raise session_not_found(name, ref.project.root)
    _remove_events(ctx, SessionRef(ref.project, ref.session))
    return ref, tuple(dict.fromkeys(removed))


def _remove_ended(ctx: Context, ref: SessionRef) -> str:
    """Remove a session that has ended by itself. Raise LisaError(session_not_ended | session_kill_failed)."""
    meta, record = ctx.read_meta(ref), live_records.read_readable(ref)
    if meta is None or record is None or ending.find_ending(ctx, ref, meta, ctx.find_reachable_pane(ref)) is None:
        raise LisaError(
            "session_not_ended",
            f"{ref.session} has not ended; lisa session kill --no-archive ends it and keeps nothing",
            session=ref.session,
        )
    result = kill.kill_session(ctx, ref, request=EndRequest(archive=False))
    if result.errors:
        raise LisaError("session_kill_failed", "; ".join(result.errors), session=ref.session)
    return record.id


def _remove_events(ctx: Context, ref: SessionRef) -> None:
    """Remove the event log of a name without any session left."""
    if session_folder.has_more_than_events(ref):
        return
    if any(found.session == ref.session for found, _ in archives.list_archives(ref.project)):
        return
    with contextlib.suppress(LisaError), session_records.session_lock(ref, ctx.settings, "name"):
        if not session_folder.has_more_than_events(ref):
            files.remove_tree(ref.folder)
            session_folder.remove_locks(ref)
