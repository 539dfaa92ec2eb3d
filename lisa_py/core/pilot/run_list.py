"""The autopilot runs of a project, newest first, as their logs tell of them."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lisa_py.contract import jsontext
from lisa_py.host.clock import rfc3339
from lisa_py.store import runs
from lisa_py.store.places import Project
from lisa_py.store.runs import Run

RunState = Literal["under_way", "complete", "failed", "cut_off", "unreadable"]
"""cut_off: its process has ended without a word; `--resume-from` goes on with it, as with a failed one."""


class Flown(Struct, frozen=True, kw_only=True, rename="camel"):
    """One run."""

    autopilot_id: str
    state: RunState
    session: str | UnsetType = UNSET
    goal: str | UnsetType = UNSET
    agent: str | UnsetType = UNSET
    failed_step: str | UnsetType = UNSET
    updated_at: str
    """RFC 3339, UTC: when the run last got on."""


class Runs(Struct, frozen=True, kw_only=True, rename="camel"):
    """The runs of which there is a log."""

    project_root: str
    count: int
    runs: tuple[Flown, ...]


class _Summary(Struct, frozen=True, rename="camel"):
    """What a list needs of a log."""

    ok: bool
    session: str | UnsetType = UNSET
    goal: str | UnsetType = UNSET
    agent: str | UnsetType = UNSET
    failed_step: str | UnsetType = UNSET


def read(project: Project) -> Runs:
    """Changes nothing on disk; a log that cannot be read is in the list as well."""
    found = tuple(_flown(run) for run in runs.known(project))
    return Runs(project_root=project.root, count=len(found), runs=found)


def _flown(run: Run) -> Flown:
    changed = rfc3339(runs.changed(run))
    try:
        told = jsontext.decode(runs.read(run) or b"", _Summary)
    except (OSError, msgspec.DecodeError):
        return Flown(autopilot_id=run.id, state="unreadable", updated_at=changed)
    return Flown(
        autopilot_id=run.id,
        state=_state(run, told),
        session=told.session,
        goal=told.goal,
        agent=told.agent,
        failed_step=told.failed_step,
        updated_at=changed,
    )


def _state(run: Run, told: _Summary) -> RunState:
    if runs.is_under_way(run):
        return "under_way"
    if told.ok:
        return "complete"
    return "cut_off" if told.failed_step is UNSET else "failed"
