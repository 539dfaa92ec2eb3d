"""Claims of tasks by sessions, so that no task is done twice; the usage guide gives the path."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.host.env import Settings
from lisa_py.store.paths import Project
from lisa_py.store.record import StoreRecord, check_registries
from lisa_py.store.registry import Registry, RegistryErrorCodes


class Claim(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Holder of one task."""

    session: str
    project_root: str = ""
    claimed_at: str = ""
    """RFC 3339, UTC, whole seconds."""
    claimed_unix: float = 0.0


class Claims(Struct, kw_only=True, rename="camel"):
    """`/tmp/.lisa-<hash>-dedupe.json`."""

    updated_at: str = ""
    items: dict[str, Claim] = {}


def registry(project: Project, settings: Settings) -> Registry[Claims]:
    path = os.path.join(settings.shared_dir, f".lisa-{project.hash}-dedupe.json")
    codes = RegistryErrorCodes(read="dedupe_registry_read_failed", write="dedupe_registry_write_failed")
    return Registry(path, Claims, codes, lock=os.path.join(project.folder, "locks", "dedupe"))


RECORD = StoreRecord(
    check=lambda project, settings: check_registries([registry(project, settings)]), snapshot=None, prune=None
)
