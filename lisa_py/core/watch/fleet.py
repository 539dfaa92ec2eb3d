"""Which sessions there are: on a project's tmux server, or on all servers that lisa's records know of."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.errors import LisaError, TmuxUnavailable
from lisa_py.core.context import Context
from lisa_py.host import files
from lisa_py.host.pane import Pane
from lisa_py.store import places, session
from lisa_py.store.places import NAME, Place, Project
from lisa_py.store.records import Unreadable


class Warned(Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that kept part of the answer away."""

    error_code: str
    message: str
    session: str = ""
    fallback: str = ""


class Fleet(Struct):
    """Sessions found, and what of them tmux showed on the way."""

    places: list[Place]
    panes: dict[str, list[Pane]]
    """Socket -> what its server holds; for `evidence.collect`, so that it need not ask again."""
    warnings: list[Warned]


def live(ctx: Context, project: Project, *, all_sockets: bool = False, project_only: bool = False) -> Fleet:
    """The sessions that tmux has, ended ones that are still kept included; by name.

    Raises LisaError(session_list_failed) when the project's own server cannot be asked; another server that cannot is
    a warning, and its sessions are listed by their records.
    """
    fleet = Fleet([], {}, [])
    found: dict[tuple[str, str], Place] = {}
    for place, socket in _recorded(ctx, project, all_sockets):
        if socket != project.socket and _has(ctx, fleet, place, socket):
            found[place.project.hash, place.session] = place
    own = {place.session for place in session.known(project)} if project_only else set()
    try:
        panes = _ask(ctx, fleet, project, project.socket)
    except TmuxUnavailable as problem:
        raise LisaError("session_list_failed", problem.message, cause=problem.code) from problem
    for pane in panes:
        if NAME.match(pane.session) and (not project_only or pane.session in own):
            found[project.hash, pane.session] = Place(project, pane.session)
    fleet.places = sorted(found.values(), key=lambda place: (place.session, place.project.root))
    return fleet


def _recorded(ctx: Context, project: Project, all_sockets: bool) -> list[tuple[Place, str]]:
    """Sessions with records of this project (of all projects), each with the socket it was made on."""
    found = []
    for digest in places.projects(ctx.settings) if all_sockets else [project.hash]:
        folder = f"{ctx.settings.state_dir}/projects/{digest}"
        for name in places.sessions(folder):
            try:
                meta = session.read_meta(Place(Project(root="", hash=digest, slug="", folder=folder, socket=""), name))
            except Unreadable:
                continue
            if meta is None or not meta.project_root:
                continue
            home = project if digest == project.hash else places.project(meta.project_root, ctx.settings)
            if home.hash == digest:
                found.append((Place(home, name), meta.socket_path or home.socket))
    return found


def _has(ctx: Context, fleet: Fleet, place: Place, socket: str) -> bool:
    try:
        return any(pane.session == place.session for pane in _ask(ctx, fleet, place.project, socket))
    except TmuxUnavailable as problem:
        if not any(known.message == problem.message for known in fleet.warnings):
            fleet.warnings.append(Warned(error_code=problem.code, message=problem.message))
        return True  # nobody knows; its state will say so


def _ask(ctx: Context, fleet: Fleet, project: Project, socket: str) -> Sequence[Pane]:
    if socket not in fleet.panes:
        server = ctx.tmux(project, socket)
        if not files.exists(socket):
            server.program()  # no tmux at all is another answer than no server
        fleet.panes[socket] = server.panes() if files.exists(socket) else []
    return fleet.panes[socket]


def stale(ctx: Context, project: Project, fleet: Fleet) -> tuple[int, list[Place]]:
    """How many sessions of the project have records, and which of them tmux has no more."""
    every = session.known(project)
    there = {place.session for place in fleet.places if place.project.hash == project.hash}
    return len(every), [place for place in every if place.session not in there]
