"""Change profiles, and read the default one."""

from __future__ import annotations

import os

import msgspec

from lisa_py.contract import session_settings
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.contract.profile import ProfileSummary
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.core.context import Context
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import profiles
from lisa_py.store.profiles import MAX_PROFILES, Profile, Profiles

MAX_NAME = 100
MAX_DESCRIPTION = 500
ERRORS = ("profile_not_found", "profile_store_read_failed", "profile_store_write_failed")


def read_default(ctx: Context) -> SessionSettings:
    """Return the settings of the default profile. Raise LisaError(profile_store_read_failed)."""
    found = profiles.registry(ctx.settings).read()
    default = found.profiles.get(found.default)
    return default.settings if default else SessionSettings()


def read_settings(ctx: Context, name: str) -> SessionSettings:
    """Return the settings of a profile by name or id, of the default one for an empty name.

    Raise LisaError(profile_not_found | profile_store_read_failed).
    """
    return find(profiles.registry(ctx.settings).read(), name).settings if name else read_default(ctx)


def find(content: Profiles, name: str) -> Profile:
    """Return the profile of a name or id. Raise LisaError(profile_not_found)."""
    by_id = {profile.id: profile for profile in content.profiles.values()}
    found = content.profiles.get(name) or by_id.get(name)
    if found is None:
        raise LisaError("profile_not_found", f"no profile named {name} (lisa profiles list shows them)", profile=name)
    return found


def set_profile(
    ctx: Context, name: str, settings: SessionSettings, *, description: str | None = None, unset: tuple[str, ...] = ()
) -> tuple[Profile, bool]:
    """Create a profile, or change the given settings of one; return it and True if it is new.

    `unset` names settings to remove. Raise UsageError(invalid_profile_name | max_profiles | invalid_unset, ...).
    """
    _check_name(name)
    session_settings.check(settings)
    for field in unset:
        if field not in session_settings.FIELD_NAMES:
            raise UsageError("invalid_unset", f"invalid --unset: {field} (a setting such as max_turns)")
    with profiles.registry(ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
        content, now = opened.content, format_rfc3339(ctx.clock.now())
        former = content.profiles.get(name)
        if former is None and len(content.profiles) >= MAX_PROFILES:
            raise UsageError("max_profiles", f"there are {MAX_PROFILES} profiles already; delete one first")
        base = former or Profile(id=f"profile-{os.urandom(8).hex()}", name=name, created_at=now)
        kept = msgspec.structs.replace(base.settings, **dict.fromkeys(unset, msgspec.UNSET))
        changed = msgspec.structs.replace(base, settings=session_settings.merge(kept, settings), updated_at=now)
        if description is not None:
            changed = msgspec.structs.replace(changed, description=description[:MAX_DESCRIPTION])
        content.profiles[name] = changed
    return changed, former is None


def delete_profile(ctx: Context, name: str) -> Profile:
    """Delete a profile. Raise LisaError(profile_not_found | default_profile)."""
    with profiles.registry(ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
        found = find(opened.content, name)
        if found.name == opened.content.default:
            raise LisaError(
                "default_profile", f"{found.name} is the default profile; make another one the default first"
            )
        del opened.content.profiles[found.name]
    return found


def set_default(ctx: Context, name: str) -> Profile:
    """Make a profile the default. Raise LisaError(profile_not_found)."""
    with profiles.registry(ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
        found = find(opened.content, name)
        opened.content.default = found.name
    return found


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(
            "invalid_profile_name", f"invalid --name: {name!r} (expected 1 to {MAX_NAME} printable characters)"
        )


def describe(profile: Profile, default: str) -> ProfileSummary:
    """Return a profile as answers carry it; `default` is the name of the default one."""
    return ProfileSummary(
        id=profile.id,
        name=profile.name,
        is_default=profile.name == default,
        settings=session_settings.hide_secrets(profile.settings),
        description=profile.description or msgspec.UNSET,
        created_at=profile.created_at or msgspec.UNSET,
        updated_at=profile.updated_at or msgspec.UNSET,
    )
