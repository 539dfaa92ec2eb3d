"""List the autopilot runs of a project from their logs, newest first."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import jsontext
from lisa_py.contract.answer import Answer
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import autopilot_runs
from lisa_py.store.autopilot_runs import RunRef
from lisa_py.store.paths import Project

RunState = Literal["under_way", "complete", "failed", "cut_off", "unreadable"]
"""cut_off: the process ended without a result; `--resume-from` continues it, like a failed run."""


class RunSummary(Answer):
    """One run."""

    autopilot_id: str
    state: RunState
    session: str | UnsetType = UNSET
    goal: str | UnsetType = UNSET
    agent: str | UnsetType = UNSET
    failed_step: str | UnsetType = UNSET
    updated_at: str
    """RFC 3339, UTC: last change of the log."""


class RunList(Answer):
    """The runs that have a log."""

    project_root: str
    count: int
    runs: tuple[RunSummary, ...]


class _LogSummary(Struct, frozen=True, rename="camel"):
    """The part of a log that the list needs."""

    ok: bool
    session: str | UnsetType = UNSET
    goal: str | UnsetType = UNSET
    agent: str | UnsetType = UNSET
    failed_step: str | UnsetType = UNSET


def list_runs(project: Project) -> RunList:
    """Read all runs without changing anything on disk; a run with an unreadable log is listed too."""
    found = tuple(_summarize_run(run) for run in autopilot_runs.list_runs(project))
    return RunList(project_root=project.root, count=len(found), runs=found)


def _summarize_run(run: RunRef) -> RunSummary:
    changed = format_rfc3339(autopilot_runs.modified_at(run))
    try:
        summary = jsontext.decode(autopilot_runs.read(run) or b"", _LogSummary)
    except (OSError, msgspec.DecodeError):
        return RunSummary(autopilot_id=run.id, state="unreadable", updated_at=changed)
    return RunSummary(
        autopilot_id=run.id,
        state=_run_state(run, summary),
        session=summary.session,
        goal=summary.goal,
        agent=summary.agent,
        failed_step=summary.failed_step,
        updated_at=changed,
    )


def _run_state(run: RunRef, summary: _LogSummary) -> RunState:
    if autopilot_runs.is_running(run):
        return "under_way"
    if summary.ok:
        return "complete"
    return "cut_off" if summary.failed_step is UNSET else "failed"
