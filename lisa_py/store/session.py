"""A session's own records: metadata, delivery state, and the supervisor's start and end."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta, SessionState
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import folder, places
from lisa_py.store.places import Place, Project
from lisa_py.store.records import Unreadable, load, recover, save

_DONE = re.compile(r"([A-Za-z0-9._-]+):(-?\d+)\s*\Z")


class End(Struct, frozen=True):
    """The supervisor's record of how the agent ended."""

    run_id: str
    code: int
    at: float
    """Unix seconds."""

    @property
    def signal(self) -> int:
        """Signal number behind a shell's 128+n code, else 0."""
        return self.code - 128 if 128 < self.code < 160 else 0


def read_meta(place: Place) -> SessionMeta | None:
    """Raises Unreadable."""
    return load(place.meta, SessionMeta)


def write_meta(place: Place, meta: SessionMeta) -> None:
    save(place.meta, meta)


def read_state(place: Place) -> SessionState:
    """Raises Unreadable."""
    return load(place.state, SessionState) or SessionState()


def change_state(place: Place, settings: Settings, now: float, change: Callable[[SessionState], None]) -> SessionState:
    """Read, change and write the state under its lock; a corrupt file is set aside first.

    Raises LisaError(store_unwritable), also where a symlink has taken the folder's place.
    """
    folder.must_be_ours(place)
    with session_lock(place, settings, "state"):
        state, _ = recover(place.state, SessionState, now)
        state = state or SessionState()
        change(state)
        save(place.state, state)
        return state


def session_lock(
    place: Place, settings: Settings, purpose: str, *, timeout_ms: int = 0
) -> AbstractContextManager[float]:
    """The session's lock for one purpose (`name`: spawn and kill; `input`: one sender at a time; `state`)."""
    folder = files.private_dir(os.path.join(place.project.folder, "locks"))
    most = timeout_ms or settings.state_lock_timeout_ms
    return files.lock(os.path.join(folder, f"{place.session}.{purpose}"), timeout_ms=most)


def read_end(place: Place) -> End | None:
    """The end record, or None. Raises Unreadable when it is there and not one."""
    try:
        raw = files.read(place.done, limit=4096)
    except OSError as problem:
        raise Unreadable(f"done.txt: {problem.strerror}") from problem
    if raw is None or not raw.strip():
        return None
    match = _DONE.match(raw.decode("utf-8", "replace").strip())
    if match is None:
        raise Unreadable("invalid done file marker in done.txt")
    return End(match[1], int(match[2]), files.modified(place.done))


def read_start(place: Place) -> tuple[str, int] | None:
    """(run id, pid of the supervisor), or None when it has not started the agent yet."""
    raw = files.read(place.start, limit=4096) or b""
    words = raw.decode("utf-8", "replace").split()
    return (words[0], int(words[1])) if len(words) >= 2 and words[1].isdigit() else None


def find(session: str, root_flag: str, cwd: str, settings: Settings) -> Place:
    """The place of a session: by --project-root, else where its metadata lies, else the current project.

    Raises LisaError(invalid_session_name | ambiguous_project_root).
    """
    places.checked_name(session)
    if root_flag:
        return Place(places.project(root_flag, settings), session)
    here = Place(places.project(cwd, settings), session)
    if files.exists(here.meta):
        return here
    if settings.project_root:
        routed = Place(places.project(settings.project_root, settings), session)
        if files.exists(routed.meta):
            return routed
    elsewhere = named(session, settings)
    roots = {place.project.root for place in elsewhere}
    if len(roots) > 1:
        raise LisaError(
            "ambiguous_project_root",
            f'sessions named "{session}" live in more than one project; provide --project-root',
            session=session,
            roots=sorted(roots),
        )
    return elsewhere[0] if elsewhere else here


def named(session: str, settings: Settings) -> list[Place]:
    """The session of this name in every project that has readable metadata of it."""
    found = []
    for digest in places.projects(settings):
        path = os.path.join(settings.state_dir, "projects", digest, "sessions", session, "meta.json")
        if not files.exists(path):
            continue
        try:
            meta = load(path, SessionMeta)
        except Unreadable:
            continue
        if meta is not None and meta.project_root:
            place = Place(places.project(meta.project_root, settings), session)
            if place.project.hash == digest:  # eight digits collide: the root inside decides
                found.append(place)
    return found


def known(project: Project) -> list[Place]:
    """Places of all sessions of the project that have metadata."""
    every = (Place(project, name) for name in places.sessions(project.folder))
    return [place for place in every if files.exists(place.meta)]
