"""Start sessions: from resolved values or a definition, and chats."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager

from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract.api_requests import ChatBody, StartBody, read_chat_settings, read_start_settings
from lisa_py.contract.client_answers import StartResult
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.session_object import SessionObject
from lisa_py.contract.start_session import StartSessionResult
from lisa_py.core.fleet import admission, session_objects
from lisa_py.core.fleet.admission import AdmissionLimits
from lisa_py.core.lifecycle import chat, start_session
from lisa_py.core.lifecycle.chat import ChatRequest
from lisa_py.core.lifecycle.start_session import StartRequest
from lisa_py.host import files
from lisa_py.server.route import ApiReply, RestCall, Route
from lisa_py.store import registration

TRIGGERS = ("cli", "api", "chat", "schedule")
START_ERRORS = (
    "agent_not_installed", "definition_not_found", "max_sessions_reached", "secret_not_found", "spawn_early_exit",
    "validation_failed",
)  # fmt: skip


class ChatStartResult(Struct, frozen=True, kw_only=True):
    """A chat that was started, or the active one of its key."""

    session: SessionObject
    deduplicated: bool | UnsetType = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET


def admit(call: RestCall, family: str) -> AbstractContextManager[None]:
    """Return the place of one new session, to be held while it starts."""
    options = call.server.options
    chats = AdmissionLimits(running=options.max_sessions, per_minute=options.max_creations)
    return admission.admit(
        call.ctx, family, chats if family == "user" else AdmissionLimits(running=admission.MAX_STARTED)
    )


def start(call: RestCall) -> ApiReply:
    """Start a session of the project."""
    body = call.read_body(StartBody)
    if not body.definition and not body.prompt.strip():
        raise UsageError("validation_failed", "prompt is missing or empty", fields=["prompt"])
    request = StartRequest(
        definition=body.definition,
        project_root=call.folder,
        default_agent=call.server.options.agent,
        prompt=body.prompt,
        overrides=read_start_settings(body),
        data=None if isinstance(body.data, UnsetType) else body.data,
        idempotent_key=body.idempotent_key,
        debounce_key=body.debounce_key,
        api_scope=start_session.find_api_scope(call.ctx, body.lc_api_key),
        trigger_source=body.trigger_source if body.trigger_source in TRIGGERS else "api",
    )
    started = start_session.start_session(call.ctx, request, functools.partial(admit, call, "org"))
    return ApiReply(_choose_status(started), _describe(started, call))


def _choose_status(started: StartSessionResult) -> int:
    return 202 if started.status == "queued" else 200 if started.deduplicated else 201


def _describe(started: StartSessionResult, call: RestCall) -> StartResult:
    return StartResult(
        session_id=started.session_id,
        status=started.status,
        created_at=started.created_at,
        session=started.session,
        deduplicated=started.deduplicated,
        debounce_key=started.debounce_key,
        warnings=(*call.body_warnings, *(started.warnings or ())) or UNSET,
    )


def start_chat(call: RestCall) -> ApiReply:
    """Start a chat; it is running when the answer comes, unless its pane takes over five seconds.

    Raise LisaError(not_registered | no_credentials), UsageError(validation_failed).
    """
    registration.require_registration(call.server.settings)
    body = call.read_body(ChatBody)
    if body.workdir and not (body.workdir.startswith("/") and files.is_dir(body.workdir)):
        raise UsageError("validation_failed", f"workdir is no folder: {body.workdir}", fields=["workdir"])
    request = ChatRequest(
        prompt=body.prompt,
        agent=body.agent,
        default_agent=call.server.options.agent,
        definition=body.definition,
        profile=body.profile_id or body.profile_name,
        project_root=body.workdir or call.folder,
        idempotent_key=body.idempotent_key,
        settings=read_chat_settings(body),
    )
    try:
        started = chat.start_soon(call.ctx, request, functools.partial(admit, call, "user"))
    except LisaError as problem:
        if problem.code != "not_logged_in":
            raise
        raise LisaError("no_credentials", problem.message) from problem
    found = session_objects.describe_session(call.ctx, call.ctx.record_ref(started.id))
    answer = ChatStartResult(
        session=found,
        deduplicated=started.deduplicated or UNSET,
        warnings=(*call.body_warnings, *started.warnings) or UNSET,
    )
    return ApiReply(200 if started.deduplicated else 201, answer)


ROUTES = (
    Route(
        method="POST", path="/v1/api/sessions", summary="Start a session of the project", status=201, scope="control",
        run=start, body=StartBody, answer=StartResult, errors=START_ERRORS, pool="commands",
        other_statuses={200: "the active session of the idempotent key", 202: "the request waits for its debounce key"},
    ),
    Route(
        method="POST", path="/v1/sessions", summary="Start a chat of the user", status=201, scope="control",
        run=start_chat, body=ChatBody, answer=ChatStartResult, pool="commands",
        other_statuses={200: "the active chat of the idempotent key"},
        errors=(*START_ERRORS, "no_credentials", "not_registered", "profile_not_found", "rate_limited"),
    ),
)  # fmt: skip
