"""Keys of model providers that the user has stored for sessions of the user's own family."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.host.env import Settings
from lisa_py.store.record import StoreRecord, check_registries
from lisa_py.store.registry import Registry, RegistryErrorCodes

_CODES = RegistryErrorCodes(read="auth_store_read_failed", write="auth_store_write_failed")


class StoredKey(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """The key of one provider, or a reference to it; the time is RFC 3339, UTC."""

    key: str = ""
    created_at: str = ""
    kind: str = ""
    """azure or vertex; empty: an API key."""
    fields: dict[str, str] = {}
    """Further credentials of that kind, or of the account."""


class StoredKeys(Struct, kw_only=True, rename="camel"):
    """`credentials` in the state folder."""

    version: int = 1
    providers: dict[str, StoredKey] = {}


def registry(settings: Settings) -> Registry[StoredKeys]:
    return Registry(os.path.join(settings.state_dir, "credentials"), StoredKeys, _CODES)


def find(settings: Settings, provider: str) -> StoredKey | None:
    """Return the key of a provider. Raise LisaError(auth_store_read_failed)."""
    return registry(settings).read().providers.get(provider)


RECORD = StoreRecord(
    check=lambda project, settings: check_registries([registry(settings)]),
    snapshot=None,
    prune=None,
)
