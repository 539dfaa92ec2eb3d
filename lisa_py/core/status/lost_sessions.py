"""Find the lost sessions: their agents were ended from outside, with tmux or the machine, and their records remain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lisa_py.contract import command_line
from lisa_py.contract.errors import TmuxUnavailable
from lisa_py.contract.records import SessionMeta
from lisa_py.contract.status import Status
from lisa_py.core import session_panes
from lisa_py.core.context import Context
from lisa_py.core.session_panes import PaneIndex
from lisa_py.host import processes
from lisa_py.host.pane import Pane
from lisa_py.store import live_records, session_index, session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import Project, SessionRef
from lisa_py.store.session_index import SessionIndexEntry
from lisa_py.store.session_records import EndRecord


def find_lost_entries(ctx: Context, project: Project | None) -> list[SessionIndexEntry]:
    """Return the records of the lost sessions of a project, or of all projects."""
    return find_lost(ctx, _read_index(ctx, project))


def wait_for_lost_entries(ctx: Context, project: Project | None) -> list[SessionIndexEntry]:
    """Return the records of the lost sessions; those whose tmux server has just ended have a second to end."""
    entries = _read_index(ctx, project)
    deadline = ctx.clock.monotonic() + session_panes.HANGUP_SECONDS
    while ctx.clock.monotonic() < deadline and any(_is_ending(known) for known in entries):
        ctx.pause(0.02)
    return find_lost(ctx, entries, with_unknown=True)


def _is_ending(known: SessionIndexEntry) -> bool:
    """Return True for a process of a session whose tmux server has ended."""
    if session_panes.has_living_server(known.meta) is not False:
        return False
    return session_panes.find_living_process(known.ref, known.meta) is not None


def _read_index(ctx: Context, project: Project | None) -> Sequence[SessionIndexEntry]:
    found = session_index.index_all_projects(ctx.settings) if project is None else session_index.index_project(project)
    return found.sessions


def find_lost(
    ctx: Context, entries: Iterable[SessionIndexEntry], *, with_unknown: bool = False
) -> list[SessionIndexEntry]:
    """Return those of the sessions that are lost; tmux is asked only if a record says that one may be.

    `with_unknown` adds those that may be lost, where tmux does not answer.
    """
    suspects = [known for known in entries if _may_be_lost(known)]
    if not suspects:
        return []
    panes: dict[str, PaneIndex | None] = {}
    absent = [known for known in suspects if not _has_pane(ctx, known, panes, unknown=not with_unknown)]
    unrecorded = [known.meta.pane_pid for known in absent if known.meta.pane_pid and not _has_end(known)]
    members = processes.find_by_kernel_sessions(unrecorded) if unrecorded else {}
    return [known for known in absent if not _has_process(known.meta, members.get(known.meta.pane_pid, ()))]


def _may_be_lost(known: SessionIndexEntry) -> bool:
    """Return True if neither an end of its own nor a running supervisor is known."""
    return session_panes.find_supervisor(known.meta) is None and was_ended_from_outside(known.ref, known.meta)


def was_ended_from_outside(ref: SessionRef, meta: SessionMeta) -> bool:
    """Return True if the agent has not ended by itself, and lisa has not ended it: there is no end, or a signal."""
    if not meta.pane_pid and not meta.former_run_ids:
        return False  # a first start that was interrupted: there is no conversation yet
    end = _read_end(ref, meta)
    if end is not None and not end.signal:
        return False
    record = live_records.read_readable(ref)
    return record is None or not record.end_reason


def _has_end(known: SessionIndexEntry) -> bool:
    return _read_end(known.ref, known.meta) is not None


def _read_end(ref: SessionRef, meta: SessionMeta) -> EndRecord | None:
    """Return the end of this run, if one is recorded."""
    try:
        end = session_records.read_end(ref)
    except UnreadableRecord:
        return None
    return end if end is not None and end.run_id == meta.run_id else None


def _has_pane(ctx: Context, known: SessionIndexEntry, panes: dict[str, PaneIndex | None], *, unknown: bool) -> bool:
    """Return True if tmux has the pane, and `unknown` if it does not answer."""
    socket = known.meta.socket_path or known.ref.project.socket
    if socket not in panes:
        panes[socket] = _list_panes(ctx, known.ref.project, socket)
    index = panes[socket]
    return unknown if index is None else index.find(known.ref.session, known.meta) is not None


def _list_panes(ctx: Context, project: Project, socket: str) -> PaneIndex | None:
    try:
        found: Sequence[Pane] = ctx.list_panes(project, socket)
    except TmuxUnavailable:
        return None
    return PaneIndex(found)


def _has_process(meta: SessionMeta, members: Sequence[processes.Process]) -> bool:
    """Return True if a process of the terminal still runs; after a reboot its number may be that of a stranger."""
    return any(processes.carries(each, f"LISA_RUN_ID={meta.run_id}") for each in members)


def may_resume(ref: SessionRef, meta: SessionMeta) -> bool:
    """Return True for a resumable session without a supervisor whose agent was ended from outside; tmux is not asked.

    It is lost if it also has no pane.
    """
    return is_resumable(meta) and _may_be_lost(SessionIndexEntry(ref, meta))


def build_resume_command(ref: SessionRef) -> str:
    """Return the command that brings a lost session back."""
    return str(command_line.build("session resume", session=ref.session, project_root=ref.project.root))


def find_resume_command(ctx: Context, ref: SessionRef, status: Status) -> str:
    """Return the command that brings the session of a status back; empty if it is not lost, or not resumable."""
    if status.session_state != "not_found" and status.classification_reason != "tmux_server_lost":
        return ""
    meta = ctx.read_meta(ref)
    return build_resume_command(ref) if meta is not None and may_resume(ref, meta) else ""


def is_resumable(meta: SessionMeta) -> bool:
    """Return True for a conversation with an agent, not for a run or a command."""
    return meta.mode != "exec" and not meta.custom_command
