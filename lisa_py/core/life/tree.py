"""Who spawned whom: every session with records as a forest, each exactly once, whatever its records say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.watch import fleet as running
from lisa_py.core.watch import look
from lisa_py.store import fleet
from lisa_py.store.fleet import Known
from lisa_py.store.places import Project

Key = tuple[str, str]
"""Project root and name: names repeat across projects."""


class Row(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One session; what is empty is left out."""

    session: str
    parent_session: str = ""
    agent: str = ""
    mode: str = ""
    status: str = ""
    session_state: str = ""
    waiting_for: str = ""
    project_root: str = ""
    created_at: str = ""

    @property
    def key(self) -> Key:
        return self.project_root, self.session


class Node(Row, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One session with those it has spawned."""

    children: tuple[Node, ...] = ()


class Wanted(Struct, frozen=True, kw_only=True):
    """Which part of the forest."""

    session: str = ""
    """Only this one and what is below it."""
    all_hashes: bool = False
    active_only: bool = False
    with_state: bool = False

    @property
    def scope(self) -> str:
        """Tells apart what must not be compared: `all`, or the session's name, with the filters."""
        words = [self.session or "all", "active" if self.active_only else "", "hashes" if self.all_hashes else ""]
        return "-".join(word for word in words if word)


class Tree(Struct, frozen=True, kw_only=True):
    """The forest, as rows (parents before their children) and as nodes."""

    rows: tuple[Row, ...]
    roots: tuple[Node, ...]
    total: int
    """Sessions with readable records, before any filter."""
    warnings: tuple[str, ...] = ()


def build(ctx: Context, project: Project, wanted: Wanted) -> Tree:
    """Read the records and join them; changes nothing.

    Raises LisaError: session_not_found_in_tree, session_tree_build_failed (tmux cannot be asked who is active).
    """
    found = fleet.of_all(ctx.settings) if wanted.all_hashes else fleet.of_project(project)
    every = found.sessions
    kept = _active(ctx, project, every, wanted) if wanted.active_only else every
    parents, warnings = _parents(kept)
    children = _children(kept, parents)
    tops = [_key(known) for known in kept if _key(known) not in parents]
    if wanted.session:
        tops = [_key(known) for known in kept if known.place.session == wanted.session]
        if not tops:
            raise LisaError(
                "session_not_found_in_tree",
                f"session not found in metadata: {wanted.session} (lisa session tree shows what there is)",
                session=wanted.session,
            )
    order = _in_order(tops, children)
    known_by = {_key(known): known for known in kept}
    rows = _rows(ctx, [known_by[key] for key in order], wanted.with_state)
    nodes = {row.key: row for row in rows}
    roots = tuple(_node(key, nodes, children) for key in tops if key in nodes)
    return Tree(rows=tuple(rows), roots=roots, total=len(every), warnings=(*found.warnings, *warnings))


def _key(known: Known) -> Key:
    return known.place.project.root, known.place.session


def _active(ctx: Context, project: Project, every: Sequence[Known], wanted: Wanted) -> tuple[Known, ...]:
    """Those tmux has, running or ended."""
    try:
        live = running.live(ctx, project, all_sockets=wanted.all_hashes)
    except LisaError as problem:
        raise LisaError("session_tree_build_failed", f"nobody knows who is active: {problem.message}") from problem
    there = {(place.project.root, place.session) for place in live.places}
    return tuple(known for known in every if _key(known) in there)


# -- joining ------------------------------------------------------------------------------------------------------


def _parents(every: Sequence[Known]) -> tuple[dict[Key, Key], list[str]]:
    """Whose child each session is; a circle is opened at the first of its names, so that nobody vanishes."""
    keys = {_key(known) for known in every}
    by_run = {known.meta.run_id: _key(known) for known in every if known.meta.run_id}
    parents: dict[Key, Key] = {}
    for known in every:
        parent = _parent(known, keys, by_run)
        if parent is not None:
            parents[_key(known)] = parent
    warnings = []
    for key in sorted(keys, key=lambda key: (key[1], key[0])):
        if _hangs_on_itself(key, parents):
            warnings.append(f"{key[1]} is among its own ancestors; shown as a root")
            del parents[key]
    return parents, warnings


def _parent(known: Known, keys: Iterable[Key], by_run: Mapping[str, Key]) -> Key | None:
    """By run id where it is known, which is exact across projects; else by name in the same project."""
    name, root = known.meta.parent_session, known.place.project.root
    if not name:
        return None
    exact = by_run.get(known.meta.parent_run_id) if known.meta.parent_run_id else None
    if exact is not None and exact[1] == name:
        return exact
    if (root, name) in keys:
        return root, name
    namesakes = [key for key in keys if key[1] == name]
    return namesakes[0] if len(namesakes) == 1 else None


def _hangs_on_itself(key: Key, parents: Mapping[Key, Key]) -> bool:
    seen: set[Key] = set()
    at: Key | None = parents.get(key)
    while at is not None and at != key and at not in seen:
        seen.add(at)
        at = parents.get(at)
    return at == key


def _children(every: Sequence[Known], parents: Mapping[Key, Key]) -> dict[Key, list[Key]]:
    children: dict[Key, list[Key]] = {}
    for known in sorted(every, key=lambda known: (known.place.session, known.place.project.root)):
        key = _key(known)
        if key in parents:
            children.setdefault(parents[key], []).append(key)
    return children


def _in_order(tops: Sequence[Key], children: Mapping[Key, Sequence[Key]]) -> list[Key]:
    order: dict[Key, None] = {}
    queue = list(reversed(tops))
    while queue:
        key = queue.pop()
        if key not in order:
            order[key] = None
            queue.extend(reversed(children.get(key, ())))
    return list(order)


# -- showing ------------------------------------------------------------------------------------------------------


def _rows(ctx: Context, every: Sequence[Known], with_state: bool) -> list[Row]:
    rows = [
        Row(
            session=known.place.session,
            parent_session=known.meta.parent_session,
            agent=known.meta.agent,
            mode=known.meta.mode,
            project_root=known.place.project.root,
            created_at=known.meta.created_at,
        )
        for known in every
    ]
    if not with_state or not rows:
        return rows
    states = look.each(ctx, [known.place for known in every])
    return [
        msgspec.structs.replace(
            row, status=state.normalised(), session_state=state.session_state, waiting_for=state.waiting_for
        )
        for row, state in zip(rows, states, strict=True)
    ]


def _node(key: Key, rows: Mapping[Key, Row], children: Mapping[Key, Sequence[Key]]) -> Node:
    below = tuple(_node(child, rows, children) for child in children.get(key, ()) if child in rows)
    return Node(**msgspec.structs.asdict(rows[key]), children=below)
