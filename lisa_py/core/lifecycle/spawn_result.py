"""Results of a spawn and of its dry run."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.contract.objective import ObjectiveSummary
from lisa_py.core.lifecycle.nesting import NestedDetection


class SpawnSummary(Answer):
    """A started session."""

    session: str
    agent: str
    mode: str
    lane: str
    nested_policy: str
    nesting_intent: str
    run_id: str
    """Run id of the session: one start of its agent."""
    project_root: str
    socket_path: str
    command: str
    """Command line of the agent; the size in place of a prompt over 200 characters."""
    pane_pid: int
    folder: str | UnsetType = UNSET
    """Working folder of the agent if it is not the project root: in the worktree that was made."""
    branch: str | UnsetType = UNSET
    """Branch of the worktree."""
    agent_session_id: str | UnsetType = UNSET
    prompt_sent: bool | UnsetType = UNSET
    """For a prompt too long for a command line: True if the agent accepted it."""
    exit_code: int | UnsetType = UNSET
    """Exit code of a command that has already ended; status and capture still work."""
    output: str | UnsetType = UNSET
    replaced: bool | UnsetType = UNSET
    """True if a session of this name was killed first (--replace)."""
    warnings: tuple[str, ...] | UnsetType = UNSET


class SpawnResult(SpawnSummary):
    """The session, the adaptation of its agent, and its inputs."""

    id: str
    """Id of the session, accepted wherever its name is."""
    hooks: bool
    """True if the agent reports its events to lisa."""
    parent_session: str | UnsetType = UNSET
    agent_version: str | UnsetType = UNSET
    oauth_token_id: str | UnsetType = UNSET
    oauth_warning: str | UnsetType = UNSET
    """Reason why no pool token was available."""
    objective: ObjectiveSummary | UnsetType = UNSET
    nested_detection: NestedDetection | UnsetType = UNSET
    notes: tuple[str, ...] | UnsetType = UNSET
    """Arguments omitted, prevented or accepted for the installed version of the agent."""


class SpawnDryRunResult(Answer):
    """Plan of a spawn under --dry-run."""

    dry_run: bool = True
    session: str
    agent: str
    mode: str
    lane: str
    model: str
    nested_policy: str
    nesting_intent: str
    run_id: str
    project_root: str
    command: str
    startup_command: str
    """Process of the pane; it runs the command and records its end."""
    socket_path: str
    width: int
    height: int
    env: Mapping[str, str]
    """Environment of the session beyond that of the caller."""
    folder: str | UnsetType = UNSET
    """Working folder of the agent if it is not the project root: in the worktree to be made."""
    branch: str | UnsetType = UNSET
    """Branch of the worktree."""
    parent_session: str | UnsetType = UNSET
    oauth_token_id: str | UnsetType = UNSET
    oauth_warning: str | UnsetType = UNSET
    objective: ObjectiveSummary | UnsetType = UNSET
    nested_detection: NestedDetection | UnsetType = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET
    notes: tuple[str, ...] | UnsetType = UNSET
    """Arguments omitted, prevented or accepted for the installed version of the agent."""
