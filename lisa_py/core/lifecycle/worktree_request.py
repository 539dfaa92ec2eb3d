"""Request for a git worktree of a session."""

from __future__ import annotations

from msgspec import Struct

ERRORS = (
    *("git_failed", "not_a_repository", "invalid_worktree_name", "invalid_base", "worktree_exists"),
    "invalid_worktree_setup",
)
"""Error codes of plan_worktree and create_worktree."""


class WorktreeRequest(Struct, frozen=True, kw_only=True):
    """A requested worktree."""

    name: str = ""
    """Empty: the name of the session."""
    base: str = ""
    """Branch or commit that it begins at; empty: the HEAD of the project."""
    setup: str = ""
    """First 16 or more digits of the SHA-256 of the set-up program that may run; empty: none may."""
