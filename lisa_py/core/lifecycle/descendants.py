"""Find the sessions that the agents of a session and of its descendants have spawned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.store import child_sessions
from lisa_py.store.paths import SessionRef
from lisa_py.store.session_index import ChildIndex, SessionIndexEntry

ChildLists = Mapping[SessionRef, tuple[SessionRef, ...] | None]
"""By session: those that it has listed as its children; None if it has no list."""


class DescendantSearch:
    """The descendants of one session.

    In its own project the name of the parent links them; in other projects its run id, which is unique. A session lists
    those that it spawns, so that other projects are searched only for the children of one without a list.
    """

    def __init__(self, ctx: Context, ref: SessionRef, *, by_name: bool = False) -> None:
        """`by_name`: the name of the parent counts in other projects, too."""
        self._ctx = ctx
        self._by_name = by_name
        self._parents: dict[SessionRef, SessionMeta | None] = {ref: ctx.read_meta(ref)}
        """The session and its known descendants, parents first."""
        self._indexes: dict[str, ChildIndex] = {}
        """By project folder; under the empty name that of all projects."""

    def find(self) -> list[SessionRef]:
        """Return all descendants, deepest first."""
        return self._follow(list(self._parents))

    def find_late(self, lists: ChildLists) -> list[SessionRef]:
        """Return those spawned since `find`, by the lists of the sessions just before their folders were removed."""
        if self._by_name or None in lists.values():
            for index in self._indexes.values():
                index.read()
            return self._follow(list(self._parents))
        new = [self._add(entry) for ref, listed in lists.items() for entry in self._choose(ref, listed or ())]
        return self._follow(list(new)) + new[::-1]

    def _follow(self, queue: list[SessionRef]) -> list[SessionRef]:
        """Add the unknown descendants of these sessions; return them, deepest first."""
        found: list[SessionRef] = []
        while queue:
            parent = queue.pop(0)
            new = [self._add(entry) for entry in self._choose(parent, self._list_candidates(parent))]
            found += new
            queue += new
        return found[::-1]

    def _add(self, entry: SessionIndexEntry) -> SessionRef:
        self._parents[entry.ref] = entry.meta
        return entry.ref

    def _list_candidates(self, parent: SessionRef) -> Iterable[SessionRef | SessionIndexEntry]:
        listed = None if self._by_name else child_sessions.read_children(parent, self._ctx.settings)
        if listed is None:
            return self._index("", None).sessions
        return (*self._index(parent.project.folder, parent).sessions, *listed)

    def _index(self, name: str, ref: SessionRef | None) -> ChildIndex:
        if name not in self._indexes:
            self._indexes[name] = ChildIndex(self._ctx.settings, ref.project if ref else None)
        return self._indexes[name]

    def _choose(
        self, parent: SessionRef, candidates: Iterable[SessionRef | SessionIndexEntry]
    ) -> list[SessionIndexEntry]:
        """Return the children among these sessions that are not known yet."""
        found: dict[SessionRef, SessionIndexEntry] = {}
        for candidate in candidates:
            ref = candidate if isinstance(candidate, SessionRef) else candidate.ref
            if ref in self._parents or ref in found:
                continue
            meta = self._ctx.read_meta(candidate) if isinstance(candidate, SessionRef) else candidate.meta
            if meta is not None and self._is_child(ref, meta, parent):
                found[ref] = SessionIndexEntry(ref, meta)
        return list(found.values())

    def _is_child(self, ref: SessionRef, meta: SessionMeta, parent: SessionRef) -> bool:
        if meta.parent_session != parent.session:
            return False
        of_parent = self._parents.get(parent)
        if meta.parent_run_id and of_parent is not None and meta.parent_run_id in of_parent.all_run_ids:
            return True
        return self._by_name or ref.project.hash == parent.project.hash
