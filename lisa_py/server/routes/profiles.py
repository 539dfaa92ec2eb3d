"""Profiles: named settings of chats and of other sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import UNSET, UnsetType

from lisa_py.contract import session_settings
from lisa_py.contract.api_answers import DeletionResult, ProfileObject, ProfileResult, ProfilesResult
from lisa_py.contract.api_requests import ProfileBody, read_profile_settings
from lisa_py.contract.errors import UsageError
from lisa_py.contract.session_settings import ProfileSettings
from lisa_py.core.definitions import profiles
from lisa_py.server.route import RestCall, Route
from lisa_py.store.profiles import Profile

PATH = "/v1/profiles"
ONE = PATH + "/{pid}"


@contextmanager
def refuse_fields() -> Iterator[None]:
    """Name the field of a refused name. Raise UsageError(validation_failed)."""
    try:
        yield
    except UsageError as problem:
        if problem.code != "invalid_profile_name":
            raise
        raise UsageError("validation_failed", problem.message.replace("--name", "name"), fields=["name"]) from None


def describe(profile: Profile, default: str) -> ProfileObject:
    shown = session_settings.hide_secrets(profile.settings)
    fields: dict[str, Any] = {name: getattr(shown, name) for name in ProfileSettings.__struct_fields__}
    return ProfileObject(
        id=profile.id,
        name=profile.name,
        is_default=profile.name == default,
        description=profile.description,
        created_at=profile.created_at or UNSET,
        updated_at=profile.updated_at or UNSET,
        **fields,
    )


def show(call: RestCall, profile: Profile) -> ProfileResult:
    warnings = call.body_warnings or UNSET
    return ProfileResult(profile=describe(profile, profiles.read_content(call.ctx).default), warnings=warnings)


def list_profiles(call: RestCall) -> ProfilesResult:
    content = profiles.read_content(call.ctx)
    return ProfilesResult(profiles=tuple(describe(each, content.default) for each in content.profiles.values()))


def get_profile(call: RestCall) -> ProfileResult:
    return show(call, profiles.find(profiles.read_content(call.ctx), call.path["pid"]))


def create_profile(call: RestCall) -> ProfileResult:
    """Create a profile. Raise UsageError(validation_failed)."""
    body = call.read_body(ProfileBody)
    if isinstance(body.name, UnsetType):
        raise UsageError("validation_failed", "name is missing", fields=["name"])
    with refuse_fields():
        made = profiles.create_profile(
            call.ctx,
            body.name,
            read_profile_settings(body),
            description=body.description or "",
            is_default=body.is_default,
        )
    return show(call, made)


def change_profile(call: RestCall) -> ProfileResult:
    """Change the given fields."""
    body = call.read_body(ProfileBody)
    with refuse_fields():
        if body.name == "":
            raise UsageError("invalid_profile_name", "the name is empty")
        changed = profiles.change_profile(
            call.ctx,
            call.path["pid"],
            read_profile_settings(body),
            name=body.name or "",
            description=None if isinstance(body.description, UnsetType) else body.description,
            is_default=body.is_default,
        )
    return show(call, changed)


def delete_profile(call: RestCall) -> DeletionResult:
    profiles.delete_profile(call.ctx, call.path["pid"])
    return DeletionResult(deleted=True)


def set_default(call: RestCall) -> ProfileResult:
    return show(call, profiles.set_default(call.ctx, call.path["pid"]))


def _route(method: str, path: str, summary: str, run: Any, errors: tuple[str, ...] = (), **fields: Any) -> Route:
    given = {"answer": ProfileResult, "scope": "read" if method == "GET" else "control", "tag": "profiles", **fields}
    return Route(method=method, path=path, summary=summary, run=run, errors=errors, **given)


_CHANGE = ("profile_exists", "profile_not_found", "validation_failed")
ROUTES = (
    _route("GET", PATH, "Return all profiles", list_profiles, answer=ProfilesResult),
    _route(
        "POST", PATH, "Create a profile", create_profile, ("max_profiles", "profile_exists", "validation_failed"),
        body=ProfileBody, status=201,
    ),
    _route("GET", ONE, "Return one profile", get_profile, ("profile_not_found",)),
    _route("PUT", ONE, "Change the given fields of a profile", change_profile, _CHANGE, body=ProfileBody),
    _route("PATCH", ONE, "Change the given fields of a profile", change_profile, _CHANGE, body=ProfileBody),
    _route(
        "DELETE", ONE, "Delete a profile", delete_profile, ("default_profile", "profile_not_found"),
        answer=DeletionResult,
    ),
    _route("POST", ONE + "/default", "Make a profile the default", set_default, ("profile_not_found",)),
)  # fmt: skip
