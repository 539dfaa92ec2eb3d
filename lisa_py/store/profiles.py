"""Profiles: named settings of sessions, one of which is the default."""

from __future__ import annotations

import os

import msgspec
from msgspec import Struct

from lisa_py.contract.session_settings import SessionSettings
from lisa_py.host.env import Settings
from lisa_py.store.record import StoreRecord, check_registries
from lisa_py.store.registry import Registry, RegistryErrorCodes

MAX_PROFILES = 10


class Profile(Struct, kw_only=True, omit_defaults=True):
    """One profile; its settings hold references, never secrets."""

    id: str
    name: str
    description: str = ""
    created_at: str = ""
    """RFC 3339, as all times here; empty for a profile that lisa supplies."""
    updated_at: str = ""
    settings: SessionSettings = msgspec.field(default_factory=SessionSettings)


def _supply_profiles() -> dict[str, Profile]:
    """Return the profiles of a user who has changed none."""
    readers = ("cat", "head", "tail", "less", "grep", "sed", "awk", "jq", "ls", "find", "wc")
    careful = SessionSettings(
        permission_mode="acceptEdits",
        allowed_tools=("Read", *(f"Bash({program}:*)" for program in readers)),
        denied_tools=(),
    )
    full = SessionSettings(permission_mode="bypassPermissions", allowed_tools=(), denied_tools=())
    return {
        "Default": Profile(id="default", name="Default", settings=careful),
        "Full Permissions": Profile(id="full-permissions", name="Full Permissions", settings=full),
    }


class Profiles(Struct, kw_only=True):
    """`profiles.json`."""

    version: int = 1
    default: str = "Default"
    """Name of the default profile."""
    profiles: dict[str, Profile] = msgspec.field(default_factory=_supply_profiles)


def registry(settings: Settings) -> Registry[Profiles]:
    codes = RegistryErrorCodes(read="profile_store_read_failed", write="profile_store_write_failed")
    return Registry(os.path.join(settings.state_dir, "profiles.json"), Profiles, codes)


RECORD = StoreRecord(check=lambda project, settings: check_registries([registry(settings)]), snapshot=None, prune=None)
