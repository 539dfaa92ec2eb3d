"""Start a session for a person who talks to it at once."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lisa_py import agents
from lisa_py.contract.session_settings import SessionSettings, merge
from lisa_py.core.context import Context
from lisa_py.core.definitions import profiles
from lisa_py.core.lifecycle import credentials, launch, spawn, start_session
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.lifecycle.spawn_result import SpawnResult
from lisa_py.store.paths import Project

FAMILY = "user"


class ChatRequest(Struct, frozen=True, kw_only=True):
    """A requested chat; references in its settings are not resolved."""

    prompt: str = ""
    agent: str = ""
    """Empty: that of the definition, else the default agent."""
    definition: str = ""
    session: str = ""
    """Session name; empty: a name is generated."""
    project_root: str = ""
    trust: bool = False
    settings: SessionSettings = msgspec.field(default_factory=SessionSettings)


class StartedChat(Struct, frozen=True, kw_only=True):
    """The session of a chat."""

    id: str
    spawned: SpawnResult


def start_chat(ctx: Context, request: ChatRequest) -> StartedChat:
    """Start the session. A failure leaves nothing.

    Raise LisaError(not_logged_in), or as start_session.apply_definition and spawn.spawn_session do.
    """
    project = ctx.existing_project(request.project_root)
    planned = _build_spawn(ctx, project, request)
    credentials.require_login(ctx, agents.get(planned.launch.agent), planned.settings)
    spawned = spawn.spawn_session(ctx, planned)
    return StartedChat(id=spawned.id, spawned=spawned)


def _build_spawn(ctx: Context, project: Project, request: ChatRequest) -> SpawnRequest:
    """Return the session to spawn: default profile, definition and request in layers."""
    given = request.settings
    planned = SpawnRequest(
        launch=launch.LaunchRequest(
            agent=request.agent, prompt=request.prompt, skip_permissions=False, trust=request.trust
        ),
        session=request.session,
        project_root=project.root,
        given=frozenset(("agent",)) if request.agent else frozenset(),
        settings=given,
        family=FAMILY,
        trigger_source="chat",
    )
    if request.definition:
        planned = start_session.apply_definition(ctx, planned, request.definition)
    settings = merge(profiles.read_default(ctx), planned.settings)
    settings = msgspec.structs.replace(settings, one_shot=given.one_shot)  # a chat goes on after an answer
    asked = msgspec.structs.replace(planned.launch, agent=planned.launch.agent or launch.choose_agent(settings))
    return msgspec.structs.replace(planned, launch=asked, settings=settings)
