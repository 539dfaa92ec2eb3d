"""Result of spawning a session, common to all commands that spawn."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer
from lisa_py.core.lifecycle.spawn import SpawnReport


class SpawnSummary(Answer):
    """A started session; commands add their own fields."""

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
    pane_pid: int
    agent_session_id: str | UnsetType = UNSET
    prompt_sent: bool | UnsetType = UNSET
    """For a prompt too long for a command line: True if the agent accepted it."""
    exit_code: int | UnsetType = UNSET
    """The command has already ended; status and capture still work."""
    output: str | UnsetType = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET


def summarize_spawn(report: SpawnReport) -> SpawnSummary:
    plan, meta = report.spawn_plan, report.meta
    return SpawnSummary(
        session=plan.name,
        agent=meta.agent,
        mode=meta.mode,
        lane=plan.lane,
        nested_policy=plan.start.nested_policy,
        nesting_intent=plan.start.nesting_intent,
        run_id=plan.run_id,
        project_root=meta.project_root,
        socket_path=meta.socket_path,
        command=meta.start_command,
        pane_pid=meta.pane_pid,
        agent_session_id=meta.agent_session_id or UNSET,
        prompt_sent=UNSET if report.prompt_sent is None else report.prompt_sent,
        exit_code=UNSET if report.end is None else report.end.code,
        output=UNSET if report.end is None else report.output,
        warnings=report.warnings or UNSET,
    )
