"""A birth as answers tell it: what every command that starts a session says of it."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from lisa_py.core.life.spawn import Spawned


class Born(Struct, frozen=True, kw_only=True, rename="camel"):
    """A session whose command runs, or has run already; each command adds what it alone tells."""

    session: str
    agent: str
    mode: str
    lane: str
    nested_policy: str
    nesting_intent: str
    run_id: str
    """Of the session: one start of its agent."""
    project_root: str
    socket_path: str
    command: str
    pane_pid: int
    agent_session_id: str | UnsetType = UNSET
    prompt_sent: bool | UnsetType = UNSET
    """For a prompt too long for a command line: whether the agent took it."""
    exit_code: int | UnsetType = UNSET
    """The command has ended already; status and capture know the session all the same."""
    output: str | UnsetType = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET


def born(spawned: Spawned) -> Born:
    draft, meta = spawned.draft, spawned.meta
    return Born(
        session=draft.name,
        agent=meta.agent,
        mode=meta.mode,
        lane=draft.lane,
        nested_policy=draft.start.nested_policy,
        nesting_intent=draft.start.nesting_intent,
        run_id=draft.run_id,
        project_root=meta.project_root,
        socket_path=meta.socket_path,
        command=meta.start_command,
        pane_pid=meta.pane_pid,
        agent_session_id=meta.agent_session_id or UNSET,
        prompt_sent=UNSET if spawned.prompt_sent is None else spawned.prompt_sent,
        exit_code=UNSET if spawned.end is None else spawned.end.code,
        output=UNSET if spawned.end is None else spawned.output,
        warnings=spawned.warnings or UNSET,
    )
