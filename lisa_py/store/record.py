"""Declare how a kind of record is checked, copied and pruned; a module of the store that has a RECORD is registered."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import paths
from lisa_py.store.json_records import UnreadableRecord, load
from lisa_py.store.paths import Project, SessionRef

if TYPE_CHECKING:
    from lisa_py.store.registry import Registry

DAY = 24 * 3600


class SnapshotPart(Struct, frozen=True, kw_only=True):
    """The part of a state-sandbox snapshot that holds one kind of record."""

    field: str
    """Field of RegistrySnapshot."""
    clear_code: str
    extra: str = ""
    """Word that includes it; empty for a part of every snapshot."""
    registry: Callable[[Project, str], Registry[Any]]
    """The registry of a name; of the name "" where there is one per project."""
    names: Callable[[Project], list[str]] | None = None
    """Names that have a registry; None where there is one per project."""


class StoreRecord(Struct, frozen=True, kw_only=True):
    """The declaration of one kind of record; None where the operation does not concern it."""

    check: Callable[[Project, Settings], Iterator[str]] | None
    """Yields one line per unreadable record (preflight)."""
    snapshot: SnapshotPart | None
    prune: Callable[[str, Settings, float], int] | None
    """Removes outdated records below a project's folder and returns their number."""


def load_records() -> dict[str, StoreRecord]:
    """Return the declarations by module name."""
    names = [name[:-3] for name in files.list_names(os.path.dirname(__file__)) if name.endswith(".py")]
    modules = {name: __import__(f"lisa_py.store.{name}", fromlist=("RECORD",)) for name in names if name != "__init__"}
    return {name: module.RECORD for name, module in modules.items() if hasattr(module, "RECORD")}


def check_session_files(project: Project, kinds: Mapping[str, type[Any]]) -> Iterator[str]:
    """Yield one line per file of these names in the folders of sessions that cannot be read as its type."""
    for session in paths.list_session_names(project.folder):
        for name, kind in kinds.items():
            path = SessionRef(project, session).file(name)
            try:
                if files.exists(path):
                    load(path, kind)
            except UnreadableRecord as problem:
                yield str(problem)


def check_registries(registries: Iterable[Registry[Any]]) -> Iterator[str]:
    """Yield one line per registry that cannot be read."""
    for registry in registries:
        try:
            registry.read()
        except LisaError as problem:
            yield problem.message
