"""Find the pane of a session by its recorded ids, whatever the tmux session is called and wherever the pane is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.contract.records import SessionMeta
from lisa_py.host import files, processes
from lisa_py.host.pane import Pane
from lisa_py.host.processes import Process
from lisa_py.host.tmux import Tmux
from lisa_py.store import session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import Project, SessionRef

HANGUP_SECONDS = 1.0
"""Seconds for the processes of a session to end after their terminal has; it takes milliseconds."""


def has_ids(meta: SessionMeta | None) -> bool:
    """Return True if spawn has recorded the pane and its process."""
    return bool(meta is not None and meta.pane_id and meta.pane_pid)


def is_own(pane: Pane, meta: SessionMeta) -> bool:
    """Return True if it is the recorded pane, also with another process in it; each server numbers its own panes."""
    same_server = pane.server_pid == meta.server_pid if meta.server_pid else pane.session == meta.session
    return pane.pane_id == meta.pane_id and (pane.pid == meta.pane_pid or same_server)


class PaneIndex:
    """The panes of a server, by pane id and by the name of their tmux session."""

    def __init__(self, panes: Iterable[Pane]) -> None:
        self._by_id: dict[str, list[Pane]] = {}
        self._by_session: dict[str, Pane] = {}
        for pane in panes:
            self._by_id.setdefault(pane.pane_id, []).append(pane)
            self._by_session.setdefault(pane.session, pane)

    def find(self, session: str, meta: SessionMeta | None) -> Pane | None:
        """Return the recorded pane; without recorded ids the first one in a tmux session of that name."""
        if meta is None or not has_ids(meta):
            return self._by_session.get(session)
        own = [pane for pane in self._by_id.get(meta.pane_id, ()) if is_own(pane, meta)]
        named = [pane for pane in own if pane.session == session]  # its window may be linked into other sessions
        return next(iter([*named, *own]), None)


def read_panes(server: Tmux, session: str, meta: SessionMeta | None) -> list[Pane]:
    """Return the panes among which the session's own is, with one call. Raise TmuxUnavailable."""
    if meta is not None and has_ids(meta):
        return server.list_panes(pane_id=meta.pane_id)
    return server.list_panes(session)


def find_pane(server: Tmux, ref: SessionRef, meta: SessionMeta | None) -> Pane | None:
    """Return the pane of the session, or None if tmux has none.

    Raises TmuxUnavailable if that cannot be determined, also if the session lives on a server that cannot be reached.
    """
    found = find_reachable_pane(server, ref, meta)
    if found is None and (living := find_living_process(ref, meta)) is not None:
        raise TmuxUnavailable(describe_unreachable(server, living))
    return found


def find_reachable_pane(server: Tmux, ref: SessionRef, meta: SessionMeta | None) -> Pane | None:
    """Return the pane of the session if its server can be reached. Raise TmuxUnavailable."""
    metas = [meta] if meta is not None and has_ids(meta) else None
    panes = list_reachable(
        server,
        lambda: read_panes(server, ref.session, meta),
        lambda: read_metas(ref.project) if metas is None else metas,
    )
    return choose_pane(PaneIndex(panes), ref, meta)


def choose_pane(panes: PaneIndex, ref: SessionRef, meta: SessionMeta | None) -> Pane | None:
    """Return the pane of the session among those of its server."""
    found = panes.find(ref.session, meta)
    return None if found is not None and belongs_to_other(found, ref, meta) else found


def belongs_to_other(pane: Pane, ref: SessionRef, meta: SessionMeta | None) -> bool:
    """Return True if a pane found by name is the recorded one of another session: a person gave it this name."""
    if has_ids(meta):
        return False
    return any(other.session != ref.session and is_own(pane, other) for other in read_metas(ref.project))


def read_metas(project: Project) -> list[SessionMeta]:
    """Return the readable metadata of all sessions of the project."""
    found = []
    for ref in session_records.list_sessions(project):
        try:
            meta = session_records.read_meta(ref)
        except UnreadableRecord:
            continue
        if meta is not None:
            found.append(meta)
    return found


# -- a server whose socket is gone --------------------------------------------------------------------------------


def list_reachable(
    server: Tmux, read: Callable[[], list[Pane]], metas: Callable[[], Iterable[SessionMeta]]
) -> list[Pane]:
    """Return what `read` finds; if the socket is gone, a living server of these sessions creates it again first.

    Raises TmuxUnavailable.
    """
    if files.exists(server.socket):
        found = read()
        if not server.was_absent:
            return found
    server.program()  # raises if tmux is not installed
    return read() if restore_server(server, metas()) else []


def restore_server(server: Tmux, metas: Iterable[SessionMeta]) -> bool:
    """Make a living server of these sessions create its removed socket again; return True if it listens again."""
    tried: set[int] = set()
    for meta in metas:
        process = _find_server(meta) if meta.socket_path in ("", server.socket) else None
        if process is None or process.pid in tried:
            continue
        tried.add(process.pid)
        from lisa_py.host import socket_restore  # noqa: PLC0415 - only after an accident

        try:
            if socket_restore.restore_socket(server.socket, process):
                return True
        except LisaError:
            continue  # the folder or the lock refuses: the server remains unreachable
    return False


def _find_server(meta: SessionMeta) -> Process | None:
    """Return the recorded server if it lives, else the parent of the living supervisor."""
    if meta.server_pid:
        found = processes.read_process(meta.server_pid)
        return found if found is not None and found.started == meta.server_started else None
    supervisor = find_supervisor(meta)
    return processes.read_process(supervisor.ppid) if supervisor is not None else None


def has_living_server(meta: SessionMeta) -> bool | None:
    """Return True if the recorded server lives, False if it has ended, None if none is recorded."""
    return processes.is_running(meta.server_pid, meta.server_started) if meta.server_pid else None


# -- a session without a pane -------------------------------------------------------------------------------------


def find_supervisor(meta: SessionMeta | None) -> Process | None:
    """Return the recorded supervisor if it still runs."""
    if meta is None or not meta.pane_pid:
        return None
    found = processes.read_process(meta.pane_pid)
    alive = found is not None and found.alive and meta.pane_started in (0.0, found.started)
    return found if alive else None


def find_living_process(ref: SessionRef, meta: SessionMeta | None) -> Process | None:
    """Return a process that shows that the agent has not ended: its supervisor, or another one of its terminal.

    The other one must carry the run id: the kernel session may be that of a later process with the same id.
    """
    if meta is None or not meta.pane_pid:
        return None
    found = find_supervisor(meta)
    if found is not None or not meta.run_id or _has_ended(ref, meta):
        return found
    members = processes.find_by_kernel_sessions([meta.pane_pid]).get(meta.pane_pid, ())
    return next((each for each in members if processes.carries(each, f"LISA_RUN_ID={meta.run_id}")), None)


def _has_ended(ref: SessionRef, meta: SessionMeta) -> bool:
    try:
        end = session_records.read_end(ref)
    except UnreadableRecord:
        return False
    return end is not None and end.run_id == meta.run_id


def describe_unreachable(server: Tmux, living: Process | None = None) -> str:
    who = f"process {living.pid} ({living.name}) of the session is running, but " if living is not None else ""
    return f"{who}its tmux server cannot be reached on {server.socket}; lisa session kill ends the session"


# -- all sessions of a server -------------------------------------------------------------------------------------


def match_sessions(panes: Sequence[Pane], metas: Iterable[SessionMeta]) -> set[str]:
    """Return the names of the sessions in these panes: recorded ones by their ids, the others by tmux's name.

    A recorded session without a pane counts while its supervisor runs.
    """
    names: set[str] = set()
    taken: set[str] = set()
    index = PaneIndex(panes)
    for meta in metas:
        own = index.find(meta.session, meta) if has_ids(meta) else None
        if own is not None:
            names.add(meta.session)
            taken.add(own.session_id)
        elif has_ids(meta) and find_supervisor(meta) is not None:
            names.add(meta.session)
    return names | {pane.session for pane in panes if pane.session_id not in taken}
