"""Session memories: the meaningful lines a session last showed, kept for a while, also beyond its end."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.store.objectives import is_expired
from lisa_py.store.paths import Project, SessionRef
from lisa_py.store.registry import Registry, RegistryErrorCodes

LINES = 80
_CODES = RegistryErrorCodes(read="memory_read_failed", write="memory_refresh_failed", lock="memory_refresh_failed")


class SessionMemory(Struct, kw_only=True, rename="camel"):
    """`memories/<session>.json` in the project's folder; times are RFC 3339, UTC, whole seconds."""

    session: str = ""
    updated_at: str = ""
    expires_at: str = ""
    """Blank: never."""
    max_lines: int = LINES
    lines: tuple[str, ...] = ()

    def is_current(self, now: float) -> bool:
        """Whether there is one, and it has not expired."""
        return bool(self.updated_at) and not is_expired(self.expires_at, now)


def registry(ref: SessionRef) -> Registry[SessionMemory]:
    return Registry(os.path.join(_folder(ref.project), ref.session + ".json"), SessionMemory, _CODES)


def _folder(project: Project) -> str:
    return os.path.join(project.folder, "memories")


def find(ref: SessionRef, now: float) -> SessionMemory | None:
    """The session's memory for whoever hands the session on; expired and unreadable ones count as none."""
    try:
        found = registry(ref).read()
    except LisaError:
        return None
    return found if found.is_current(now) else None


def list_sessions(project: Project) -> list[SessionRef]:
    """Places of all sessions that have a memory."""
    names = files.list_names(_folder(project))
    return [SessionRef(project, name.removesuffix(".json")) for name in names if name.endswith(".json")]
