"""Secrets by name, of the user and of a project; only references to them are stored elsewhere."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.contract.errors import UsageError
from lisa_py.contract.hive import RecordMetadata
from lisa_py.contract.late_pattern import compile_late
from lisa_py.host.env import Settings
from lisa_py.store.paths import Project
from lisa_py.store.record import StoreRecord, check_registries
from lisa_py.store.registry import Registry, RegistryErrorCodes

MAX_BYTES = 1 << 20
"""Bytes of a secret; keys and service accounts have a few thousand."""
_NAME = compile_late(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,254}[^\s\x00-\x1f\x7f])?\Z")
_CODES = RegistryErrorCodes(read="secret_store_read_failed", write="secret_store_write_failed")


class Secret(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """One secret; times are RFC 3339, UTC, whole seconds."""

    value: str
    created_at: str = ""
    updated_at: str = ""
    metadata: RecordMetadata | None = None
    """That of the sessions API."""


class Secrets(Struct, kw_only=True, rename="camel"):
    """`secrets` in the state folder (of the user) or in the folder of a project."""

    version: int = 1
    secrets: dict[str, Secret] = {}


def user_registry(settings: Settings) -> Registry[Secrets]:
    return Registry(os.path.join(settings.state_dir, "secrets"), Secrets, _CODES)


def project_registry(project: Project) -> Registry[Secrets]:
    return Registry(os.path.join(project.folder, "secrets"), Secrets, _CODES)


def registry(scope: str, project: Project, settings: Settings) -> Registry[Secrets]:
    """Return the store of a scope: `user` or `project`."""
    return user_registry(settings) if scope == "user" else project_registry(project)


def check_name(name: str) -> str:
    """Return the name if it is valid. Raise UsageError(invalid_secret_name)."""
    if not _NAME.match(name):
        raise UsageError(
            "invalid_secret_name",
            f"invalid secret name: {name!r} (expected 1 to 256 characters, none of them a control character)",
        )
    return name


def find(project: Project | None, settings: Settings, name: str) -> Secret | None:
    """Return the secret of the project, else of the user, else None. Raise LisaError(secret_store_read_failed)."""
    of_project = project_registry(project).read().secrets.get(name) if project else None
    return of_project or user_registry(settings).read().secrets.get(name)


RECORD = StoreRecord(
    check=lambda project, settings: check_registries([user_registry(settings), project_registry(project)]),
    snapshot=None,
    prune=None,
)
