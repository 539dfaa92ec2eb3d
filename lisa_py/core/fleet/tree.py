"""Spawn relations: every session with records in a forest, exactly once, even with invalid records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError
from lisa_py.contract.program_status import ProgramStatus
from lisa_py.core import session_panes
from lisa_py.core.context import Context
from lisa_py.core.fleet import discover
from lisa_py.core.status import status_reader
from lisa_py.store import session_index, session_records
from lisa_py.store.json_records import UnreadableRecord
from lisa_py.store.paths import Project
from lisa_py.store.session_index import SessionIndexEntry

SessionKey = tuple[str, str]
"""Project root and name: names repeat across projects."""


class TreeRow(Answer, omit_defaults=True):
    """One session; empty fields are omitted."""

    session: str
    parent_session: str = ""
    agent: str = ""
    mode: str = ""
    status: str = ""
    session_state: str = ""
    program_status: ProgramStatus | Literal[""] = ""
    waiting_for: str = ""
    project_root: str = ""
    created_at: str = ""
    last_input_from: str = ""
    """The session that sent the newest input, if one did; not part of a comparison."""
    lost: bool = False
    """True if its agent was ended with tmux or the machine; `session resume` brings it back."""

    @property
    def key(self) -> SessionKey:
        return self.project_root, self.session


class TreeNode(TreeRow, omit_defaults=True):
    """One session with its children."""

    children: tuple[TreeNode, ...] = ()


class TreeQuery(Struct, frozen=True, kw_only=True):
    """Filter of the forest."""

    session: str = ""
    """Only this session and its descendants."""
    all_hashes: bool = False
    active_only: bool = False
    with_state: bool = False

    @property
    def scope(self) -> str:
        """Return the key of the view for comparisons: `all`, or the session name, with the filters."""
        words = [self.session or "all", "active" if self.active_only else "", "hashes" if self.all_hashes else ""]
        return "-".join(word for word in words if word)


class SessionTree(Struct, frozen=True, kw_only=True):
    """The forest, as rows (parents before children) and as nodes."""

    rows: tuple[TreeRow, ...]
    roots: tuple[TreeNode, ...]
    total: int
    """Number of sessions with readable records, before any filter."""
    warnings: tuple[str, ...] = ()


def build_tree(ctx: Context, project: Project, query: TreeQuery) -> SessionTree:
    """Read the records and join them; nothing is written.

    Raise LisaError: session_not_found_in_tree, session_tree_build_failed (tmux cannot be queried for active sessions).
    """
    found = session_index.index_all_projects(ctx.settings) if query.all_hashes else session_index.index_project(project)
    every = found.sessions
    kept = _filter_active(ctx, project, every, query) if query.active_only else every
    parents, warnings = find_parents(kept)
    children = _group_children(kept, parents)
    tops = [key_of(known) for known in kept if key_of(known) not in parents]
    if query.session:
        tops = [key_of(known) for known in kept if known.ref.session == query.session]
        if not tops:
            raise LisaError(
                "session_not_found_in_tree",
                f"session not found in metadata: {query.session} (lisa session tree shows all)",
                session=query.session,
            )
    order = _sort_depth_first(tops, children)
    known_by = {key_of(known): known for known in kept}
    rows = _build_rows(ctx, [known_by[key] for key in order], query.with_state)
    nodes = {row.key: row for row in rows}
    roots = tuple(_build_node(key, nodes, children) for key in tops if key in nodes)
    return SessionTree(rows=tuple(rows), roots=roots, total=len(every), warnings=(*found.warnings, *warnings))


def key_of(known: SessionIndexEntry) -> SessionKey:
    return known.ref.project.root, known.ref.session


def _filter_active(
    ctx: Context, project: Project, every: Sequence[SessionIndexEntry], query: TreeQuery
) -> tuple[SessionIndexEntry, ...]:
    """Return the sessions of tmux, running or ended."""
    try:
        live = discover.find_live_sessions(ctx, project, all_sockets=query.all_hashes)
    except LisaError as problem:
        raise LisaError("session_tree_build_failed", f"active sessions are unknown: {problem.message}") from problem
    there = {(ref.project.root, ref.session) for ref in live.refs}
    return tuple(known for known in every if key_of(known) in there)


# -- joining ------------------------------------------------------------------------------------------------------


def find_parents(every: Sequence[SessionIndexEntry]) -> tuple[dict[SessionKey, SessionKey], list[str]]:
    """Return the parent of each session; a cycle is broken at its first name, so that no session is lost."""
    keys = {key_of(known) for known in every}
    by_run = {run: key_of(known) for known in every for run in known.meta.all_run_ids if run}
    parents: dict[SessionKey, SessionKey] = {}
    for known in every:
        parent = _find_parent(known, keys, by_run)
        if parent is not None:
            parents[key_of(known)] = parent
    warnings = []
    for key in sorted(keys, key=lambda key: (key[1], key[0])):
        if _is_own_ancestor(key, parents):
            warnings.append(f"{key[1]} is among its own ancestors; shown as a root")
            del parents[key]
    return parents, warnings


def _find_parent(
    known: SessionIndexEntry, keys: Iterable[SessionKey], by_run: Mapping[str, SessionKey]
) -> SessionKey | None:
    """Find the parent by run id, which is unique across projects; else by name in the same project."""
    name, root = known.meta.parent_session, known.ref.project.root
    if not name:
        return None
    exact = by_run.get(known.meta.parent_run_id) if known.meta.parent_run_id else None
    if exact is not None and exact[1] == name:
        return exact
    if (root, name) in keys:
        return root, name
    namesakes = [key for key in keys if key[1] == name]
    return namesakes[0] if len(namesakes) == 1 else None


def _is_own_ancestor(key: SessionKey, parents: Mapping[SessionKey, SessionKey]) -> bool:
    seen: set[SessionKey] = set()
    at: SessionKey | None = parents.get(key)
    while at is not None and at != key and at not in seen:
        seen.add(at)
        at = parents.get(at)
    return at == key


def _group_children(
    every: Sequence[SessionIndexEntry], parents: Mapping[SessionKey, SessionKey]
) -> dict[SessionKey, list[SessionKey]]:
    children: dict[SessionKey, list[SessionKey]] = {}
    for known in sorted(every, key=lambda known: (known.ref.session, known.ref.project.root)):
        key = key_of(known)
        if key in parents:
            children.setdefault(parents[key], []).append(key)
    return children


def _sort_depth_first(
    tops: Sequence[SessionKey], children: Mapping[SessionKey, Sequence[SessionKey]]
) -> list[SessionKey]:
    order: dict[SessionKey, None] = {}
    queue = list(reversed(tops))
    while queue:
        key = queue.pop()
        if key not in order:
            order[key] = None
            queue.extend(reversed(children.get(key, ())))
    return list(order)


# -- showing ------------------------------------------------------------------------------------------------------


def _build_rows(ctx: Context, every: Sequence[SessionIndexEntry], with_state: bool) -> list[TreeRow]:
    lost = _find_lost(ctx, every)
    rows = [
        TreeRow(
            session=known.ref.session,
            parent_session=known.meta.parent_session,
            agent=known.meta.agent,
            mode=known.meta.mode,
            project_root=known.ref.project.root,
            created_at=known.meta.created_at,
            lost=key_of(known) in lost,
            last_input_from=_read_sender(known),
        )
        for known in every
    ]
    if not with_state or not rows:
        return rows
    states = status_reader.read_status_list(ctx, [known.ref for known in every])
    return [
        msgspec.structs.replace(
            row,
            status=state.status_word(),
            session_state=state.session_state,
            program_status=state.program_status,
            waiting_for=state.waiting_for,
        )
        for row, state in zip(rows, states, strict=True)
    ]


def _read_sender(known: SessionIndexEntry) -> str:
    try:
        return session_records.read_state(known.ref).last_input_from
    except UnreadableRecord:
        return ""


def _find_lost(ctx: Context, every: Sequence[SessionIndexEntry]) -> set[SessionKey]:
    ended = [known for known in every if session_panes.find_supervisor(known.meta) is None]
    if not ended:
        return set()
    from lisa_py.core.status import lost_sessions  # noqa: PLC0415 - most trees have no ended session

    return {key_of(known) for known in lost_sessions.find_lost(ctx, ended)}


def _build_node(
    key: SessionKey, rows: Mapping[SessionKey, TreeRow], children: Mapping[SessionKey, Sequence[SessionKey]]
) -> TreeNode:
    below = tuple(_build_node(child, rows, children) for child in children.get(key, ()) if child in rows)
    return TreeNode(**msgspec.structs.asdict(rows[key]), children=below)
