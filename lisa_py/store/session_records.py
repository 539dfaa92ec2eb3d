"""Records of a session: metadata, delivery state, and start and end of the supervisor."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.late_pattern import compile_late
from lisa_py.contract.records import SessionMeta, SessionState
from lisa_py.host import files
from lisa_py.host.cancellation import Cancellation
from lisa_py.host.env import Settings
from lisa_py.store import paths, session_folder
from lisa_py.store.json_records import UnreadableRecord, load, load_readable, recover, save
from lisa_py.store.paths import Project, SessionRef
from lisa_py.store.record import StoreRecord

_DONE = compile_late(r"([A-Za-z0-9._-]+):(-?\d+)\s*\Z")


class EndRecord(Struct, frozen=True):
    """Exit of the agent, recorded by the supervisor."""

    run_id: str
    code: int
    at: float
    """Unix seconds."""

    @property
    def signal(self) -> int:
        """Signal number of a 128+n exit code, else 0."""
        return self.code - 128 if 128 < self.code < 160 else 0


def read_meta(ref: SessionRef) -> SessionMeta | None:
    """Return the metadata, or None. Raise UnreadableRecord."""
    return load(ref.meta, SessionMeta)


def write_meta(ref: SessionRef, meta: SessionMeta) -> None:
    save(ref.meta, meta)


def read_state(ref: SessionRef) -> SessionState:
    """Return the state. Raise UnreadableRecord."""
    return load(ref.state, SessionState) or SessionState()


def change_state(
    ref: SessionRef, settings: Settings, now: float, change: Callable[[SessionState], None]
) -> SessionState:
    """Read, change and write the state under its lock; a corrupt file is set aside first.

    Raises LisaError(store_unwritable), also if a symlink has replaced the folder.
    """
    session_folder.check_not_symlink(ref)
    with session_lock(ref, settings, "state"):
        state, _ = recover(ref.state, SessionState, now)
        state = state or SessionState()
        change(state)
        save(ref.state, state)
        return state


def session_lock(
    ref: SessionRef,
    settings: Settings,
    purpose: str,
    *,
    timeout_ms: int = 0,
    cancellation: Cancellation | None = None,
) -> AbstractContextManager[float]:
    """Return the lock of the session for one purpose of session_folder.PURPOSES."""
    wait_ms = timeout_ms or settings.state_lock_timeout_ms
    return files.lock(_lock_path(ref, purpose), timeout_ms=wait_ms, cancellation=cancellation)


def _lock_path(ref: SessionRef, purpose: str) -> str:
    folder = files.ensure_private_dir(os.path.join(ref.project.folder, "locks"))
    return os.path.join(folder, f"{ref.session}.{purpose}")


@contextlib.contextmanager
def attend(ref: SessionRef) -> Iterator[None]:
    """Declare, for the block, that somebody sees the dialogs of the session and can answer them.

    A full disk only lets this be unknown.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(LisaError):
            held.enter_context(files.shared_lock(_lock_path(ref, "attended")))
        yield


def is_attended(ref: SessionRef) -> bool:
    """Return True while somebody attends the session; a terminal of tmux does not count here."""
    return files.is_locked(os.path.join(ref.project.folder, "locks", f"{ref.session}.attended"), shared=True)


def read_end(ref: SessionRef) -> EndRecord | None:
    """Return the end record, or None. Raise UnreadableRecord."""
    try:
        raw = files.read(ref.done, limit=4096)
    except OSError as problem:
        raise UnreadableRecord(f"done.txt: {problem.strerror}") from problem
    if raw is None or not raw.strip():
        return None
    match = _DONE.match(raw.decode("utf-8", "replace").strip())
    if match is None:
        raise UnreadableRecord("invalid done file marker in done.txt")
    return EndRecord(match[1], int(match[2]), files.modified_at(ref.done))


def read_start(ref: SessionRef) -> tuple[str, int] | None:
    """Return run id and supervisor pid, or None before the agent starts."""
    raw = files.read(ref.start, limit=4096) or b""
    words = raw.decode("utf-8", "replace").split()
    return (words[0], int(words[1])) if len(words) >= 2 and words[1].isdecimal() else None


def find_session(session: str, root_flag: str, cwd: str, settings: Settings) -> SessionRef:
    """Find a session by --project-root, else by its metadata, else in the current project.

    Raises LisaError(invalid_session_name | ambiguous_project_root).
    """
    paths.check_name(session)
    if root_flag:
        return SessionRef(paths.resolve_project(root_flag, settings), session)
    current = SessionRef(paths.resolve_project(cwd, settings), session)
    if files.exists(current.meta):
        return current
    if settings.project_root:
        routed = SessionRef(paths.resolve_project(settings.project_root, settings), session)
        if files.exists(routed.meta):
            return routed
    elsewhere = find_by_name(session, settings)
    roots = {ref.project.root for ref in elsewhere}
    if len(roots) > 1:
        raise LisaError(
            "ambiguous_project_root",
            f'sessions named "{session}" live in more than one project; provide --project-root: '
            + ", ".join(sorted(roots)),
            session=session,
            roots=sorted(roots),
        )
    return elsewhere[0] if elsewhere else current


def find_by_name(session: str, settings: Settings) -> list[SessionRef]:
    """Return the sessions of this name in all projects with readable metadata of it."""
    found = []
    for digest in paths.list_project_hashes(settings):
        path = os.path.join(settings.state_dir, "projects", digest, "sessions", session, "meta.json")
        if not files.exists(path):
            continue
        meta = load_readable(path, SessionMeta)
        if meta is not None and meta.project_root:
            ref = SessionRef(paths.resolve_project(meta.project_root, settings), session)
            if ref.project.hash == digest:  # eight digits can collide: the recorded root decides
                found.append(ref)
    return found


def list_sessions(project: Project) -> list[SessionRef]:
    """Return all sessions of the project that have metadata."""
    every = (SessionRef(project, name) for name in paths.list_session_names(project.folder))
    return [ref for ref in every if files.exists(ref.meta)]


def _check(project: Project, settings: Settings) -> Iterator[str]:
    for ref in list_sessions(project):
        try:
            read_meta(ref)
            read_state(ref)
        except UnreadableRecord as problem:
            yield str(problem)


RECORD = StoreRecord(check=_check, snapshot=None, prune=None)
