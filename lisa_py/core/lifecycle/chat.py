"""Start a session for a person who talks to it at once."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct

from lisa_py import agents
from lisa_py.contract.session_settings import SessionSettings, resolve_settings
from lisa_py.core.context import Context
from lisa_py.core.lifecycle import credentials, launch, spawn
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

    Raise LisaError(not_logged_in), or as library.find and spawn.spawn_session do.
    """
    project = ctx.existing_project(request.project_root)
    planned = _build_spawn(ctx, project, request)
    credentials.require_login(ctx, agents.get(planned.launch.agent), planned.settings)
    spawned = spawn.spawn_session(ctx, planned)
    return StartedChat(id=spawned.id, spawned=spawned)


def _build_spawn(ctx: Context, project: Project, request: ChatRequest) -> SpawnRequest:
    settings, prompt, agent_args = request.settings, request.prompt, ""
    if request.definition:
        from lisa_py.core.definitions import library  # noqa: PLC0415 - reads YAML

        found = library.find(ctx, project, request.definition)
        of_definition = msgspec.structs.replace(found.settings, one_shot=UNSET)  # a chat goes on after an answer
        settings = resolve_settings(
            defaults=SessionSettings(), profile=SessionSettings(), definition=of_definition, overrides=settings
        )
        settings = msgspec.structs.replace(settings, mcp_servers=request.settings.mcp_servers or settings.mcp_servers)
        prompt, agent_args = prompt or found.own.prompt, found.own.agent_args
    return SpawnRequest(
        launch=launch.LaunchRequest(
            agent=request.agent or settings.agent or "",
            prompt=prompt,
            agent_args=agent_args,
            skip_permissions=False,
            trust=request.trust,
        ),
        session=request.session,
        project_root=project.root,
        settings=settings,
        family=FAMILY,
        definition=request.definition,
        trigger_source="chat",
    )
