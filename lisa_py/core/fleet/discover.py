"""Find sessions: on the tmux server of a project, or on all servers in lisa's records."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.records import SessionMeta
from lisa_py.core import session_panes
from lisa_py.core.context import Context
from lisa_py.host.pane import Pane
from lisa_py.store import paths, session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import SESSION_NAME, Project, SessionRef


class SessionWarning(Answer):
    """An error that made the answer incomplete."""

    error_code: str
    message: str
    session: str = ""
    fallback: str = ""


class LiveSessions(Struct):
    """Found sessions, with their tmux data."""

    refs: list[SessionRef]
    panes: dict[str, list[Pane]]
    """Server content by socket, so that the evidence collector need not query it again."""
    warnings: list[SessionWarning]
    absent: list[tuple[SessionRef, SessionMeta]] = []
    """Sessions with records, but not in tmux."""
    with_worktree: list[tuple[SessionRef, SessionMeta]] = []
    """Those of both whose metadata has a worktree."""


def find_live_sessions(
    ctx: Context, project: Project, *, all_sockets: bool = False, project_only: bool = False
) -> LiveSessions:
    """Return the sessions of tmux by name, including ended ones that are kept.

    Raise LisaError(session_list_failed) if the server of the project cannot be queried; another server that cannot is a
    warning, and its sessions are listed from their records.
    """
    fleet = LiveSessions([], {}, [])
    found: dict[tuple[str, str], SessionRef] = {}
    own: list[SessionMeta] = []
    recorded = _list_recorded(ctx, project, all_sockets)
    for ref, meta in recorded:
        if meta.socket_path in ("", project.socket) and ref.project.hash == project.hash:
            own.append(meta)
        elif _has_session(ctx, fleet, ref, meta):
            found[ref.project.hash, ref.session] = ref
    recorded_names = {ref.session for ref in session_records.list_sessions(project)} if project_only else set()
    try:
        panes = _list_panes(ctx, fleet, project, project.socket)
    except TmuxUnavailable as problem:
        raise LisaError("session_list_failed", problem.message, cause=problem.code) from problem
    names = session_panes.match_sessions(panes, own)
    for name in names:
        if SESSION_NAME.match(name) and (not project_only or name in recorded_names):
            found[project.hash, name] = SessionRef(project, name)
    present = {(project.hash, name) for name in names} | set(found)
    fleet.absent = [(ref, meta) for ref, meta in recorded if (ref.project.hash, ref.session) not in present]
    fleet.with_worktree = [(ref, meta) for ref, meta in recorded if meta.worktree is not None]
    fleet.refs = sorted(found.values(), key=lambda ref: (ref.session, ref.project.root))
    return fleet


def _list_recorded(ctx: Context, project: Project, all_sockets: bool) -> list[tuple[SessionRef, SessionMeta]]:
    """Return the sessions with records of this project (or all projects)."""
    found = []
    for digest in paths.list_project_hashes(ctx.settings) if all_sockets else [project.hash]:
        folder = f"{ctx.settings.state_dir}/projects/{digest}"
        for name in paths.list_session_names(folder):
            try:
                meta = session_records.read_meta(
                    SessionRef(Project(root="", hash=digest, slug="", folder=folder, socket=""), name)
                )
            except UnreadableRecord:
                continue
            if meta is None or not meta.project_root:
                continue
            owner = project if digest == project.hash else paths.resolve_project(meta.project_root, ctx.settings)
            if owner.hash == digest:
                found.append((SessionRef(owner, name), meta))
    return found


def _has_session(ctx: Context, fleet: LiveSessions, ref: SessionRef, meta: SessionMeta) -> bool:
    try:
        panes = _list_panes(ctx, fleet, ref.project, meta.socket_path or ref.project.socket)
        return ref.session in session_panes.match_sessions(panes, [meta])
    except TmuxUnavailable as problem:
        if not any(known.message == problem.message for known in fleet.warnings):
            fleet.warnings.append(SessionWarning(error_code=problem.code, message=problem.message))
        return True  # unknown; its state reports that


def _list_panes(ctx: Context, fleet: LiveSessions, project: Project, socket: str) -> Sequence[Pane]:
    if socket not in fleet.panes:
        fleet.panes[socket] = ctx.list_panes(project, socket)
    return fleet.panes[socket]


def find_stale_sessions(ctx: Context, project: Project, fleet: LiveSessions) -> tuple[int, list[SessionRef]]:
    """Return the number of sessions with records, and those that tmux no longer has."""
    recorded = session_records.list_sessions(project)
    live_names = {ref.session for ref in fleet.refs if ref.project.hash == project.hash}
    return len(recorded), [ref for ref in recorded if ref.session not in live_names]
