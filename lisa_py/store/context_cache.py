"""Context cache of a project: meaningful lines of sessions and packs by key, until they expire."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.store.objectives import is_expired
from lisa_py.store.paths import Project
from lisa_py.store.record import SnapshotPart, StoreRecord, check_registries
from lisa_py.store.registry import Registry, RegistryErrorCodes

_CODES = RegistryErrorCodes(
    read="context_cache_read_failed", write="context_cache_write_failed", lock="context_cache_lock_failed"
)


class ContextCacheRecord(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Lines of one key."""

    key: str
    updated_at: str = ""
    expires_at: str = ""
    sessions: tuple[str, ...] = ()
    """Sessions that the lines come from."""
    lines: tuple[str, ...] = ()


class ContextCache(Struct, kw_only=True, rename="camel"):
    """`context-cache.json` in the project's folder."""

    updated_at: str = ""
    items: dict[str, ContextCacheRecord] = {}

    def drop_expired(self, now: float) -> None:
        for key in [key for key, record in self.items.items() if is_expired(record.expires_at, now)]:
            del self.items[key]


def registry(project: Project) -> Registry[ContextCache]:
    path = os.path.join(project.folder, "context-cache.json")
    return Registry(path, ContextCache, _CODES, lambda settings: settings.event_lock_timeout_ms)


RECORD = StoreRecord(
    check=lambda project, settings: check_registries([registry(project)]),
    snapshot=SnapshotPart(
        field="context_cache",
        extra="context-cache",
        clear_code="context_cache_clear_failed",
        registry=lambda project, name: registry(project),
    ),
    prune=None,
)
