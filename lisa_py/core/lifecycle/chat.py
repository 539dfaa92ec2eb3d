"""Start a session for a person who talks to it at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import msgspec
from msgspec import Struct

from lisa_py import agents
from lisa_py.contract.session_settings import SessionSettings, merge
from lisa_py.core.context import Context
from lisa_py.core.definitions import profiles
from lisa_py.core.lifecycle import credentials, keyed_starts, launch, names, spawn, spawn_plan, start_session
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.lifecycle.spawn_result import SpawnResult
from lisa_py.store import live_records, start_keys
from lisa_py.store.paths import Project, SessionRef

FAMILY = "user"
WAIT_SECONDS = 5.0
"""Limit of the wait for a pane; it takes milliseconds."""


class ChatRequest(Struct, frozen=True, kw_only=True):
    """A requested chat; references in its settings are not resolved."""

    prompt: str = ""
    agent: str = ""
    """Empty: that of the definition, else the default agent."""
    default_agent: str = ""
    """Agent where neither the definition nor the settings name one; empty: the default agent."""
    definition: str = ""
    profile: str = ""
    """Name or id of a profile in place of the default one."""
    session: str = ""
    """Session name; empty: a name is generated."""
    project_root: str = ""
    trust: bool = False
    idempotent_key: str = ""
    settings: SessionSettings = msgspec.field(default_factory=SessionSettings)


class ChatStart(Struct, frozen=True, kw_only=True):
    """The session of a chat."""

    id: str
    session: str
    deduplicated: bool = False
    """True if a chat of this idempotent key is active: nothing was started, and the prompt was not sent."""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def start_chat(
    ctx: Context, request: ChatRequest, admit: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
) -> ChatStart:
    """Start the session, or return the active one of its idempotent key. A failure leaves nothing.

    `admit` is held around the start of a new session; it may refuse it.
    Raise LisaError(not_logged_in), or as start_session.apply_definition and spawn.spawn_session do.
    """
    project = ctx.existing_project(request.project_root)
    planned = _build_spawn(ctx, project, request)
    credentials.require_login(ctx, agents.get(planned.launch.agent), planned.settings)
    key = keyed_starts.name_key("idempotent", FAMILY, request.idempotent_key)
    if not key:
        with admit():
            return _describe(spawn.spawn_session(ctx, planned))
    spawn_plan.plan_spawn(ctx, planned)  # a refused request does not depend on the key
    with start_keys.lock(project, ctx.settings, key):
        active = keyed_starts.find_active(ctx, project, key)
        if active is not None:
            record = live_records.read_readable(active)
            return ChatStart(id=record.id if record else "", session=active.session, deduplicated=True)
        with admit():
            return _describe(keyed_starts.spawn_keyed(ctx, project, planned, (key,)))


def start_soon(
    ctx: Context,
    request: ChatRequest,
    admit: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    seconds: float = WAIT_SECONDS,
) -> ChatStart:
    """Start the session as `start_chat` does; after some seconds return it although its agent has not started yet."""
    import threading  # noqa: PLC0415 - only the server waits like this
    from concurrent import futures  # noqa: PLC0415

    project = ctx.existing_project(request.project_root)
    name = request.session or names.generate_name(ctx, project, request.agent or "chat", "interactive")
    outcome: futures.Future[ChatStart] = futures.Future()

    def run() -> None:
        try:
            outcome.set_result(start_chat(ctx, msgspec.structs.replace(request, session=name), admit))
        except BaseException as problem:
            outcome.set_exception(problem)

    threading.Thread(target=run, daemon=True).start()
    done, _ = futures.wait([outcome], timeout=seconds)
    record = None if done else live_records.read_readable(SessionRef(project, name))
    return outcome.result() if record is None else ChatStart(id=record.id, session=name)


def _describe(spawned: SpawnResult) -> ChatStart:
    return ChatStart(id=spawned.id, session=spawned.session, notes=spawned.notes or (), warnings=spawned.warnings or ())


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
        idempotent_key=request.idempotent_key,
    )
    if request.definition:
        planned = start_session.apply_definition(ctx, planned, request.definition, request.default_agent)
    settings = merge(profiles.read_settings(ctx, request.profile), planned.settings)
    settings = msgspec.structs.replace(settings, one_shot=given.one_shot)  # a chat continues after an answer
    agent = planned.launch.agent or launch.choose_agent(settings, request.default_agent)
    asked = msgspec.structs.replace(planned.launch, agent=agent)
    return msgspec.structs.replace(planned, launch=asked, settings=settings)
