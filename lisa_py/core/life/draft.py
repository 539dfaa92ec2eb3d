"""Drafting a session: everything about a spawn that can be checked and decided without making anything."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.life import briefing, launch, names
from lisa_py.core.life.launch import Resolved
from lisa_py.host.tmux import Tmux
from lisa_py.store import places
from lisa_py.store.objectives import Objective
from lisa_py.store.places import NAME, Place, Project


class SpawnRequest(Struct, frozen=True, kw_only=True):
    """A session as the caller words it."""

    launch: launch.Request
    session: str = ""
    """Empty: a name is made."""
    project_root: str = ""
    lane: str = ""
    given: frozenset[str] = frozenset()
    """Fields of the launch that the caller gave; a lane fills only the others."""
    width: int = 220
    height: int = 60
    all_hashes: bool = False
    """Also clean what ended sessions of this name left in other projects."""


class Draft(Struct, frozen=True, kw_only=True):
    """A session that has passed every check and does not exist yet."""

    place: Place
    server: Tmux
    start: Resolved
    run_id: str
    lane: str
    objective: Objective | None
    parent: str
    parent_run_id: str
    width: int
    height: int
    all_hashes: bool

    @property
    def name(self) -> str:
        return self.place.session

    @property
    def mode(self) -> str:
        return self.start.launch.mode


def draft(ctx: Context, request: SpawnRequest) -> Draft:
    """Check in the order of the contract. Raises LisaError with the code of the first thing that is off."""
    project = _project(ctx, request.project_root)
    _must_be_text(request.launch)
    wanted, lane = briefing.with_lane(project, request.launch, request.lane, request.given)
    wanted, objective = briefing.with_objective(ctx, project, wanted, lane)
    start = launch.resolve(wanted)
    place = Place(project, _name(ctx, project, request.session, start))
    parent = ctx.settings.parent_session
    parent = parent if NAME.match(parent) and parent != place.session else ""
    return Draft(
        place=place,
        server=ctx.tmux(project),
        start=start,
        run_id=_run_id(ctx),
        lane=lane,
        objective=objective,
        parent=parent,
        parent_run_id=ctx.settings.get("LISA_RUN_ID") if parent else "",
        width=request.width,
        height=request.height,
        all_hashes=request.all_hashes,
    )


def _project(ctx: Context, root: str) -> Project:
    project = ctx.existing_project(root)
    if not os.access(project.root, os.X_OK):
        raise LisaError("invalid_project_root", f"invalid --project-root: {project.root} cannot be entered")
    if not _is_text(project.root):
        raise LisaError("invalid_project_root", "invalid --project-root: the folder's name is not UTF-8; rename it")
    return project


def _must_be_text(wanted: launch.Request) -> None:
    """Bytes that are no UTF-8 could be run, but never be told in an answer."""
    for field in ("prompt", "command", "agent_args", "model"):
        if not _is_text(getattr(wanted, field)):
            raise LisaError(f"invalid_{field}", f"invalid --{field.replace('_', '-')}: it is not UTF-8 text")


def _is_text(words: str) -> bool:
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name(ctx: Context, project: Project, wanted: str, start: Resolved) -> str:
    name = wanted.strip()
    return places.checked_name(name) if name else names.generate(ctx, project, start.agent.name, start.launch.mode)


def _run_id(ctx: Context) -> str:
    """Unix nanoseconds; the clock knows microseconds, chance tells apart what starts in the same one."""
    chance = int.from_bytes(os.urandom(4), "big") % 1000
    return str(int(ctx.clock.now() * 1_000_000) * 1000 + chance)


def refuse_existing(ctx: Context, place: Place) -> None:
    """Raises LisaError(session_already_exists) when tmux has a session of this name, running or ended."""
    for server in {server.socket: server for server in (ctx.tmux(place.project), ctx.server(place))}.values():
        pane = server.pane(place.session)
        if pane is not None:
            how = "its agent has ended; lisa session kill removes it" if pane.dead else "it is running"
            raise LisaError(
                "session_already_exists", f"session already exists: {place.session} ({how})", session=place.session
            )
