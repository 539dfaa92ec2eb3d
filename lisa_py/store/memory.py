"""Session memories: the meaningful lines a session last showed, kept for a while, also beyond its end."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.store.objectives import expired
from lisa_py.store.places import Place, Project
from lisa_py.store.registry import Codes, Registry

LINES = 80
_CODES = Codes(read="memory_read_failed", write="memory_refresh_failed", lock="memory_refresh_failed")


class Memory(Struct, kw_only=True, rename="camel"):
    """`memories/<session>.json` in the project's folder; times are RFC 3339, UTC, whole seconds."""

    session: str = ""
    updated_at: str = ""
    expires_at: str = ""
    """Blank: never."""
    max_lines: int = LINES
    lines: tuple[str, ...] = ()

    def live(self, now: float) -> bool:
        """Whether there is one, and it has not expired."""
        return bool(self.updated_at) and not expired(self.expires_at, now)


def registry(place: Place) -> Registry[Memory]:
    return Registry(os.path.join(_folder(place.project), place.session + ".json"), Memory, _CODES)


def _folder(project: Project) -> str:
    return os.path.join(project.folder, "memories")


def find(place: Place, now: float) -> Memory | None:
    """The session's memory for whoever hands the session on; expired and unreadable ones count as none."""
    try:
        found = registry(place).read()
    except LisaError:
        return None
    return found if found.live(now) else None


def known(project: Project) -> list[Place]:
    """Places of all sessions that have a memory."""
    names = files.names(_folder(project))
    return [Place(project, name.removesuffix(".json")) for name in names if name.endswith(".json")]
