"""Memory of a session: its last meaningful lines, kept until they expire, also after its end."""

from __future__ import annotations

import contextlib
import os

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import session_folder
from lisa_py.store.json_records import load_readable
from lisa_py.store.objectives import is_expired
from lisa_py.store.paths import Project, SessionRef
from lisa_py.store.record import SnapshotPart, StoreRecord, check_registries
from lisa_py.store.registry import Registry, RegistryErrorCodes

LINES = 80
_CODES = RegistryErrorCodes(read="memory_read_failed", write="memory_refresh_failed", lock="memory_refresh_failed")


class SessionMemory(Struct, kw_only=True, rename="camel"):
    """`memories/<session>.json` in the project's folder; times are RFC 3339, UTC, whole seconds."""

    session: str = ""
    updated_at: str = ""
    expires_at: str = ""
    """Blank for never."""
    max_lines: int = LINES
    lines: tuple[str, ...] = ()

    def is_current(self, now: float) -> bool:
        """Return True if there is a memory and it has not expired."""
        return bool(self.updated_at) and not is_expired(self.expires_at, now)


def registry(ref: SessionRef) -> Registry[SessionMemory]:
    return Registry(os.path.join(_folder(ref.project), ref.session + ".json"), SessionMemory, _CODES)


def _folder(project: Project) -> str:
    return os.path.join(project.folder, "memories")


def find(ref: SessionRef, now: float) -> SessionMemory | None:
    """Return the memory of the session, or None if it is missing, expired or unreadable."""
    try:
        found = registry(ref).read()
    except LisaError:
        return None
    return found if found.is_current(now) else None


def list_sessions(project: Project) -> list[SessionRef]:
    """Return all sessions that have a memory."""
    names = files.list_names(_folder(project))
    return [SessionRef(project, name.removesuffix(".json")) for name in names if name.endswith(".json")]


def prune(folder: str, settings: Settings, now: float) -> int:
    """Remove the expired memories of a project; an unreadable one stays."""
    removed = 0
    memories = os.path.join(folder, "memories")
    for name in session_folder.list_entries(memories):
        path = os.path.join(memories, name)
        if not name.endswith(".json") or not _is_expired(path, now):
            continue
        with contextlib.suppress(LisaError), files.lock(path + ".lock", timeout_ms=0):
            if _is_expired(path, now):  # no other process has refreshed it in between
                removed += files.remove(path)
            files.remove(path + ".lock")
    return removed


def _is_expired(path: str, now: float) -> bool:
    memory = load_readable(path, SessionMemory)
    return memory is not None and bool(memory.updated_at) and not memory.is_current(now)


RECORD = StoreRecord(
    check=lambda project, settings: check_registries(registry(ref) for ref in list_sessions(project)),
    snapshot=SnapshotPart(
        field="memories",
        extra="memory",
        clear_code="memory_clear_failed",
        registry=lambda project, name: registry(SessionRef(project, name)),
        names=lambda project: [ref.session for ref in list_sessions(project)],
    ),
    prune=prune,
)
