"""Change profiles, and read the default one."""

from __future__ import annotations

import os

import msgspec
from msgspec import UNSET

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
        base = former or _make_profile(content, name, now)
        kept = msgspec.structs.replace(base.settings, **dict.fromkeys(unset, msgspec.UNSET))
        changed = msgspec.structs.replace(base, settings=session_settings.merge(kept, settings), updated_at=now)
        if description is not None:
            changed = msgspec.structs.replace(changed, description=description[:MAX_DESCRIPTION])
        content.profiles[name] = changed
    return changed, former is None


def create_profile(
    ctx: Context, name: str, settings: SessionSettings, *, description: str = "", is_default: bool = False
) -> Profile:
    """Create a profile. Raise LisaError(profile_exists), UsageError(invalid_profile_name | max_profiles, ...)."""
    _check_name(name)
    _check_description(description)
    session_settings.check(settings)
    kept = session_settings.restore_hidden(settings, SessionSettings())
    with profiles.registry(ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
        content, now = opened.content, format_rfc3339(ctx.clock.now())
        _refuse_name(content, name)
        made = msgspec.structs.replace(
            _make_profile(content, name, now), settings=kept, description=description, updated_at=now
        )
        content.profiles[name] = made
        content.default = name if is_default else content.default
    return made


def change_profile(
    ctx: Context,
    identity: str,
    settings: SessionSettings,
    *,
    name: str = "",
    description: str | None = None,
    is_default: bool = False,
) -> Profile:
    """Change the given settings of a profile, each as a whole; hidden values stay.

    Raise LisaError(profile_not_found | profile_exists), UsageError(invalid_profile_name, ...).
    """
    if name:
        _check_name(name)
    _check_description(description or "")
    session_settings.check(settings)
    with profiles.registry(ctx.settings).change(ctx.settings, ctx.clock.now()) as opened:
        content = opened.content
        former = find(content, identity)
        if name and name != former.name:
            _refuse_name(content, name)
        restored = session_settings.restore_hidden(settings, former.settings)
        given = {
            field: value for field in restored.__struct_fields__ if (value := getattr(restored, field)) is not UNSET
        }
        changed = msgspec.structs.replace(
            former,
            name=name or former.name,
            description=former.description if description is None else description,
            settings=msgspec.structs.replace(former.settings, **given),
            updated_at=format_rfc3339(ctx.clock.now()),
        )
        was_default = content.default == former.name
        content.profiles = {
            changed.name if key == former.name else key: changed if key == former.name else each
            for key, each in content.profiles.items()
        }
        content.default = changed.name if is_default or was_default else content.default
    return changed


def _make_profile(content: Profiles, name: str, now: str) -> Profile:
    """Return a new profile. Raise UsageError(max_profiles)."""
    if len(content.profiles) >= MAX_PROFILES:
        raise UsageError("max_profiles", f"there are {MAX_PROFILES} profiles already; delete one first")
    return Profile(id=f"profile-{os.urandom(8).hex()}", name=name, created_at=now)


def _refuse_name(content: Profiles, name: str) -> None:
    """Raise LisaError(profile_exists)."""
    if name in content.profiles:
        raise LisaError("profile_exists", f"a profile named {name} exists; change it, or choose another name")


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


def _check_description(text: str) -> None:
    """Raise UsageError(validation_failed)."""
    if len(text) > MAX_DESCRIPTION:
        raise UsageError(
            "validation_failed", f"the description has over {MAX_DESCRIPTION} characters", fields=["description"]
        )


def read_content(ctx: Context) -> Profiles:
    """Return all profiles and the name of the default one. Raise LisaError(profile_store_read_failed)."""
    return profiles.registry(ctx.settings).read()


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
