"""Records of the config store that nothing here reads: procedures, notes, memories, skills, cost models."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

from msgspec import Struct

from lisa_py.contract.hive import RecordMetadata
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store.paths import Project
from lisa_py.store.record import StoreRecord
from lisa_py.store.registry import Registry, RegistryErrorCodes


class PlainRecord(Struct, kw_only=True, omit_defaults=True):
    """One record; times are Unix seconds."""

    data: dict[str, Any]
    metadata: RecordMetadata | None = None
    created_at: float = 0.0
    changed_at: float = 0.0


class PlainRecords(Struct, kw_only=True):
    """`hive/NAME.json` in the folder of a project."""

    version: int = 1
    records: dict[str, PlainRecord] = {}


def registry(project: Project, hive: str) -> Registry[PlainRecords]:
    codes = RegistryErrorCodes(read="hive_store_read_failed", write="hive_store_write_failed")
    return Registry(os.path.join(project.folder, "hive", f"{hive}.json"), PlainRecords, codes)


def lock(project: Project, settings: Settings, hive: str) -> AbstractContextManager[float]:
    """Return the lock of a hive: the check of a record and its write are one step."""
    folder = files.ensure_private_dir(os.path.join(project.folder, "hive"))
    return files.lock(os.path.join(folder, f"{hive}.write"), timeout_ms=settings.state_lock_timeout_ms * 4)


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
