"""Start a session from a definition: settings in layers, event data, idempotent and debounce keys."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.session_settings import SessionSettings, merge, resolve_settings
from lisa_py.contract.start_session import StartSessionResult
from lisa_py.core import secrets
from lisa_py.core.context import Context
from lisa_py.core.definitions import library, profiles, templates
from lisa_py.core.definitions.records import Definition
from lisa_py.core.lifecycle import keyed_starts, launch, spawn_plan
from lisa_py.core.lifecycle.spawn_plan import SpawnRequest
from lisa_py.core.status import status_reader
from lisa_py.host import env
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import live_records, server_files, start_keys
from lisa_py.store.paths import Project, SessionRef
from lisa_py.store.start_keys import WaitingRequest

DEFAULTS = SessionSettings(one_shot=True, permission_mode="acceptEdits")
"""A session of this kind cannot be prompted, so it ends after its answer."""


class StartRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A requested start; references in its settings are not resolved."""

    definition: str = ""
    """Empty: the overrides are all settings, MCP servers included, and there must be a prompt."""
    project_root: str = ""
    session: str = ""
    """Session name; empty: a name is generated."""
    default_agent: str = ""
    """Agent of a session whose settings name none; empty: the default agent."""
    prompt: str = ""
    """Empty: that of the definition."""
    overrides: SessionSettings = msgspec.field(default_factory=SessionSettings)
    data: dict[str, Any] | None = None
    """Data of an event: fills templates and is appended to the prompt."""
    idempotent_key: str = ""
    debounce_key: str = ""
    """Empty: that of the definition."""
    api_scope: str = ""
    """Scope of the API key of `lisa serve` that the agent gets; empty: none."""
    family: str = "org"
    trigger_source: str = "cli"
    trust: bool = False


class PreparedStart(Struct, frozen=True, kw_only=True):
    """A start whose definition is read and filled."""

    spawn: SpawnRequest
    debounce_key: str
    warnings: tuple[str, ...]


def start_session(
    ctx: Context, request: StartRequest, admit: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
) -> StartSessionResult:
    """Start a session, or return the active one of its idempotent key, or wait for that of its debounce key.

    `admit` is held around the start of a new session; it may refuse it.
    Raise LisaError of library.find, session_settings.check, secrets.resolve_settings and spawn; then nothing is
    created.
    """
    project = ctx.existing_project(request.project_root)
    start_waiting(ctx, project)
    overrides = secrets.name_stored_values(ctx, project, request.overrides)  # before a waiting request is stored
    request = msgspec.structs.replace(request, overrides=overrides)
    prepared = prepare_start(ctx, project, request)
    spawn_plan.plan_spawn(ctx, prepared.spawn)
    debounce = keyed_starts.name_key("debounce", request.family, prepared.debounce_key)
    is_queued = False
    try:
        result = _start_or_queue(ctx, project, request, prepared, admit)
        is_queued = result.status == "queued"
        return result
    finally:
        if debounce and (start_keys.take_wake(project, debounce) or is_queued):  # its session may have ended meanwhile
            start_waiting(ctx, project)


def _start_or_queue(
    ctx: Context,
    project: Project,
    request: StartRequest,
    prepared: PreparedStart,
    admit: Callable[[], AbstractContextManager[None]],
) -> StartSessionResult:
    idempotent = keyed_starts.name_key("idempotent", request.family, request.idempotent_key)
    debounce = keyed_starts.name_key("debounce", request.family, prepared.debounce_key)
    with contextlib.ExitStack() as locks:
        for key in sorted(filter(None, (idempotent, debounce))):  # a fixed order avoids deadlocks
            locks.enter_context(start_keys.lock(project, ctx.settings, key))
        active = keyed_starts.find_active(ctx, project, idempotent)
        if active is not None:
            return _describe_active(ctx, active, prepared)
        if keyed_starts.find_active(ctx, project, debounce) is not None:
            return _queue(ctx, project, request, prepared, debounce)
        with admit():
            return _start(ctx, project, prepared, tuple(filter(None, (idempotent, debounce))))


def _start(ctx: Context, project: Project, prepared: PreparedStart, keys: tuple[str, ...]) -> StartSessionResult:
    spawned = keyed_starts.spawn_keyed(ctx, project, prepared.spawn, keys)
    record = live_records.read_readable(SessionRef(project, spawned.session))
    return StartSessionResult(
        session_id=spawned.id,
        session=spawned.session,
        status="starting",
        created_at=record.created_at if record else format_rfc3339(ctx.clock.now()),
        debounce_key=prepared.debounce_key or UNSET,
        definition=prepared.spawn.definition or UNSET,
        warnings=(*prepared.warnings, *(spawned.warnings or ())) or UNSET,
    )


# -- keys ---------------------------------------------------------------------------------------------------------


def _describe_active(ctx: Context, ref: SessionRef, prepared: PreparedStart) -> StartSessionResult:
    record = live_records.read_readable(ref)
    state = status_reader.read_status(ctx, ref).session_state
    return StartSessionResult(
        session_id=record.id if record else None,
        session=ref.session,
        status="starting" if state == "just_started" else "running",
        created_at=record.created_at if record else UNSET,
        deduplicated=True,
        definition=prepared.spawn.definition or UNSET,
        warnings=prepared.warnings or UNSET,
    )


def _queue(
    ctx: Context, project: Project, request: StartRequest, prepared: PreparedStart, key: str
) -> StartSessionResult:
    """Let the request wait for the end of the active session; it replaces an earlier one."""
    waiting = WaitingRequest(
        key=key,
        request=msgspec.to_builtins(msgspec.structs.replace(request, project_root=project.root)),
        environ=dict(ctx.settings.environ),
        requested_at=ctx.clock.now(),
    )
    start_keys.write_waiting(project, waiting)
    return StartSessionResult(
        session_id=None,
        session="",
        status="queued",
        debounce_key=prepared.debounce_key,
        definition=request.definition,
        warnings=prepared.warnings or UNSET,
    )


def start_waiting(ctx: Context, project: Project) -> tuple[StartSessionResult, ...]:
    """Start the requests whose debounce key is free; a request that fails is dropped with a warning.

    A key that another process holds is left to that process, which looks again once it has released it.
    """
    found: list[StartSessionResult] = []
    for key in start_keys.list_waiting_keys(project):
        while _try_waiting(ctx, project, key, found) and start_keys.take_wake(project, key):
            pass
    return tuple(found)


def _try_waiting(ctx: Context, project: Project, key: str, found: list[StartSessionResult]) -> bool:
    """Start the request that waits for a key if the key is free, and add the session.

    Return False where another process holds the key; a note for it is left.
    """
    for is_noted in (False, True):
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(start_keys.lock(project, ctx.settings, key, wait=False))
            except LisaError as problem:
                if problem.code != "state_lock_timeout":
                    raise
            else:
                started = _start_free(ctx, project, key)
                found += [started] if started is not None else []
                return True
        if not is_noted:  # then it is tried again: the holder may have looked for a note before
            start_keys.leave_wake(project, key)
    return False


def _start_free(ctx: Context, project: Project, key: str) -> StartSessionResult | None:
    if keyed_starts.find_active(ctx, project, key) is not None:
        return None
    waiting = start_keys.take_waiting(project, key)
    if waiting is None:
        return None
    try:
        return _start_waiting_request(ctx, project, waiting)
    except LisaError as problem:
        ctx.warn(f"start warning: the waiting request of {key.split(':', 2)[2]} failed: {problem.message}")
        return None


def start_waiting_of(root: str) -> None:
    """Start the requests of a project whose debounce key is free; called by the pane of a session that has ended."""
    ctx = Context(env.read_settings(), cwd=root)
    start_waiting(ctx, ctx.project())


def _start_waiting_request(ctx: Context, project: Project, waiting: WaitingRequest) -> StartSessionResult:
    """Start a request as its caller would have, with its environment; the caller of this has the lock of `waiting.key`.

    Its idempotent key may have an active session by now; then that one is returned.
    """
    request = msgspec.convert(waiting.request, StartRequest)
    own = Context(env.read_settings(waiting.environ), clock=ctx.clock, cwd=project.root, warn=ctx.warn)
    prepared = prepare_start(own, project, request)
    idempotent = keyed_starts.name_key("idempotent", request.family, request.idempotent_key)
    if not idempotent:
        return _start(own, project, prepared, (waiting.key,))
    with start_keys.lock(project, ctx.settings, idempotent):  # after the debounce key, as in start_session
        active = keyed_starts.find_active(ctx, project, idempotent)
        if active is not None:
            return _describe_active(ctx, active, prepared)
        return _start(own, project, prepared, (waiting.key, idempotent))


# -- definition and data ------------------------------------------------------------------------------------------


def prepare_start(ctx: Context, project: Project, request: StartRequest) -> PreparedStart:
    """Return the session to spawn: profile, definition and overrides in layers, templates filled.

    Raise LisaError(definition_not_found, invalid_definition, missing_required_flag, ...).
    """
    definition = _find_definition(ctx, project, request)
    settings = resolve_settings(
        defaults=DEFAULTS,
        profile=profiles.read_default(ctx),
        definition=definition.settings,
        overrides=request.overrides if request.definition else SessionSettings(),
    )
    warnings = [f"definition {definition.name}: {each}" for each in definition.warnings]
    if request.definition and request.overrides.mcp_servers:
        warnings.append("mcp_servers is not applied: those of the definition count")
    debounce_key = request.debounce_key or definition.own.debounce_key
    prompt = request.prompt or definition.own.prompt
    if request.data is not None:
        fill, appended = _apply_data(definition, request.data, warnings)
        settings = msgspec.structs.replace(settings, name=fill(settings.name) if settings.name else UNSET)
        prompt = fill(prompt) + templates.format_block(appended)
        debounce_key = fill(debounce_key)
    if not prompt.strip():
        raise UsageError(
            "missing_required_flag", f"--prompt is required: the definition {definition.name} has no prompt"
        )
    spawn = _build_spawn(request, definition, settings, prompt, project, debounce_key)
    return PreparedStart(
        spawn=msgspec.structs.replace(spawn, secrets=_read_api_key(ctx, request.api_scope)),
        debounce_key=debounce_key,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def find_api_scope(ctx: Context, key: str) -> str:
    """Return the scope of an API key of the server of this user; empty for another key."""
    keys = server_files.read_keys(ctx.settings) if key else None
    return (server_files.find_scope(keys, key) or "") if keys else ""


def _read_api_key(ctx: Context, scope: str) -> dict[str, str]:
    """Return the variable with the present key of a scope; the key is stored nowhere else."""
    keys = server_files.read_keys(ctx.settings) if scope else None
    return {env.API_KEY_VARIABLE: keys.control if scope == "control" else keys.read} if keys else {}


def _find_definition(ctx: Context, project: Project, request: StartRequest) -> Definition:
    """Return the definition of the request, or one of its overrides if it names none.

    Raise LisaError(definition_not_found | invalid_definition, ...), UsageError(missing_required_flag).
    """
    if request.definition:
        return library.find(ctx, project, request.definition)
    if not request.prompt.strip():
        raise UsageError("missing_required_flag", "a prompt is required: the request names no definition")
    return Definition(name="", path="", settings=request.overrides)


def apply_definition(ctx: Context, request: SpawnRequest, name: str, default_agent: str = "") -> SpawnRequest:
    """Return the request with the settings and the prompt of a definition where its caller gave none.

    Raise LisaError(definition_not_found | invalid_definition, ...).
    """
    found = library.find(ctx, ctx.existing_project(request.project_root), name)
    settings = merge(found.settings, request.settings)
    given, own, asked = request.given, found.own, request.launch
    filled = msgspec.structs.replace(
        asked,
        agent=asked.agent if "agent" in given else launch.choose_agent(settings, default_agent),
        mode=asked.mode if "mode" in given or not own.mode else own.mode,
        prompt=asked.prompt or own.prompt,
        agent_args=" ".join(filter(None, (own.agent_args, asked.agent_args))),
    )
    for warning in found.warnings:
        ctx.warn(f"definition warning: {found.name}: {warning}")
    return msgspec.structs.replace(request, launch=filled, settings=settings, definition=found.name)


def _apply_data(
    definition: Definition, data: dict[str, Any], warnings: list[str]
) -> tuple[Callable[[str], str], dict[str, Any]]:
    """Return a function that fills a text, and the data to append: as given, and what only the definition names.

    Add a warning for each value that the data lacks.
    """

    def report(what: str) -> None:
        warnings.append(f"the data has no value for {what}")

    named = templates.extract_data(definition.own.data, data, report)
    values = {**named, **data}
    appended = {**{name: value for name, value in named.items() if value is not data}, **data}
    return lambda text: templates.render_text(text, values, report), appended


def _build_spawn(
    request: StartRequest,
    definition: Definition,
    settings: SessionSettings,
    prompt: str,
    project: Project,
    debounce_key: str,
) -> SpawnRequest:
    return SpawnRequest(
        launch=launch.LaunchRequest(
            agent=launch.choose_agent(settings, request.default_agent),
            mode=definition.own.mode or "interactive",
            prompt=prompt,
            agent_args=definition.own.agent_args,
            skip_permissions=False,
            trust=request.trust,
        ),
        session=request.session,
        project_root=project.root,
        settings=settings,
        family=request.family,
        definition=definition.name,
        trigger_source=request.trigger_source,
        idempotent_key=request.idempotent_key,
        debounce_key=debounce_key,
    )
