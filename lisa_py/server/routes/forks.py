"""Copies of sessions, and profiles from their settings."""

from __future__ import annotations

import functools

import msgspec
from msgspec import UNSET

from lisa_py.contract import session_settings
from lisa_py.contract.api_answers import ForkPreflight, ProfileResult
from lisa_py.contract.api_requests import CaptureProfileBody, ForkBody
from lisa_py.contract.errors import LisaError
from lisa_py.core.definitions import profiles
from lisa_py.core.fleet import fork_preflight, session_objects
from lisa_py.core.lifecycle import fork
from lisa_py.core.lifecycle.fork import ForkRequest
from lisa_py.server.route import RestCall, Route
from lisa_py.server.routes.profiles import refuse_fields, show
from lisa_py.server.routes.sessions import find_any, find_owned
from lisa_py.server.routes.starts import ChatStartResult, admit
from lisa_py.store import live_records

ONE = "/v1/sessions/{id}"


def preflight(call: RestCall) -> ForkPreflight:
    """Return the facts of a fork; the source may be of either family."""
    ref = find_any(call)
    profile = profiles.read_settings(call.ctx, call.query.get("profile_id", ""))
    return fork_preflight.check_fork(call.ctx, ref, profile)


def fork_session(call: RestCall) -> ChatStartResult:
    """Start the copy as a chat. Raise LisaError(rate_limited)."""
    body = call.read_body(ForkBody)
    ref = find_any(call)
    profile = profiles.read_settings(call.ctx, body.profile_id)
    facts = fork_preflight.check_fork(call.ctx, ref, profile)
    fork_preflight.require_fork(facts, body.acknowledge_missing_tools)
    request = ForkRequest(
        prompt=body.initial_prompt,
        skip_permissions=False,
        title=body.name or facts.default_fork_name,
        family="user",
        profile=msgspec.structs.replace(profile, one_shot=UNSET),
        trigger_source="api",
    )
    try:
        report = fork.fork_session(call.ctx, ref, request, functools.partial(admit, call, "user"))
    except LisaError as problem:
        if problem.code != "max_sessions_reached":
            raise
        raise LisaError("rate_limited", problem.message, retryAfter=60) from problem
    found = session_objects.describe_session(call.ctx, call.ctx.record_ref(report.spawned.id))
    return ChatStartResult(session=found, warnings=(*call.body_warnings, *(report.spawned.warnings or ())) or UNSET)


def capture_profile(call: RestCall) -> ProfileResult:
    """Create a profile from the settings of a session; values that were not stored are left out."""
    body = call.read_body(CaptureProfileBody)
    record = live_records.read_readable(find_owned(call, "user"))
    assert record is not None
    settings, _ = session_settings.drop_hidden(record.settings)
    settings = msgspec.structs.replace(settings, name=UNSET, credentials=UNSET)
    with refuse_fields():
        made = profiles.create_profile(call.ctx, body.name, settings, description=body.description)
    return show(call, made)


ROUTES = (
    Route(
        method="GET", path=ONE + "/fork-preflight", summary="Return if a session can be forked", run=preflight,
        answer=ForkPreflight, query=("profile_id",), errors=("profile_not_found", "session_not_found"),
    ),
    Route(
        method="POST", path=ONE + "/fork", summary="Start a chat that continues a copy of the conversation",
        run=fork_session, body=ForkBody, answer=ChatStartResult, status=201, scope="control", pool="commands",
        errors=(
            "archive_gone", "missing_tools", "profile_not_found", "rate_limited", "session_not_forkable",
            "session_not_found",
        ),
    ),
    Route(
        method="POST", path=ONE + "/capture-profile", summary="Create a profile from the settings of a session",
        run=capture_profile, body=CaptureProfileBody, answer=ProfileResult, status=201, scope="control",
        errors=("max_profiles", "profile_exists", "session_not_found", "validation_failed"),
    ),
)  # fmt: skip
