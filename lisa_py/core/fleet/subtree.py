"""The sessions that a session has started, and those that these have started."""

from __future__ import annotations

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.fleet import tree
from lisa_py.core.fleet.tree import TreeNode, TreeQuery
from lisa_py.store.paths import Project

MAX_DEPTH = 4
"""Levels of sessions that start each other by tools; as many as `lisa session smoke` tries."""


def list_descendants(ctx: Context, project: Project, session: str) -> tuple[str, ...]:
    """Return the names of the descendants, without the session itself; none if it has no record."""
    try:
        found = tree.build_tree(ctx, project, TreeQuery(session=session))
    except LisaError as problem:
        if problem.code != "session_not_found_in_tree":
            raise
        return ()
    return tuple(row.session for row in found.rows if row.session != session)


def measure_depth(ctx: Context, project: Project, session: str) -> int:
    """Return the level of a session: 1 for one that no session has started."""
    levels = {name: level for root in tree.build_tree(ctx, project, TreeQuery()).roots for name, level in _walk(root)}
    return levels.get(session, 1)


def _walk(node: TreeNode, level: int = 1) -> list[tuple[str, int]]:
    return [(node.session, level), *(found for child in node.children for found in _walk(child, level + 1))]
