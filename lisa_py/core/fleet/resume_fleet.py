"""Resume all lost sessions: parents before their children, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.core.context import Context
from lisa_py.core.fleet.tree import SessionKey, find_parents, key_of
from lisa_py.core.lifecycle import resume
from lisa_py.core.lifecycle.resume import ResumedSession, ResumeRequest
from lisa_py.core.status import lost_sessions
from lisa_py.store.paths import Project
from lisa_py.store.session_index import SessionIndexEntry

WORKERS = 4
"""Sessions that are started at a time."""


class LeftSession(Answer):
    """A session that was not resumed."""

    session: str
    project_root: str
    outcome: Literal["failed", "skipped"]
    """skipped: a run or a command, or another caller has resumed it meanwhile."""
    error_code: str
    reason: str


class FleetResumeReport(Struct, frozen=True, kw_only=True):
    """The sessions that run again, in the order of their starts, and the others."""

    resumed: tuple[ResumedSession, ...] = ()
    left: tuple[LeftSession, ...] = ()

    @property
    def failed(self) -> int:
        return sum(each.outcome == "failed" for each in self.left)


def resume_all(
    ctx: Context, project: Project | None, request: ResumeRequest, *, dry_run: bool = False
) -> FleetResumeReport:
    """Resume every lost session of a project, or of all projects; a failure leaves the others alone.

    Raise CancellationError: sessions that run again keep running.
    """
    lost = lost_sessions.wait_for_lost_entries(ctx, project)
    step = resume.preview_resume if dry_run else resume.resume_session
    return _resume_entries(lost, lambda known: step(ctx, known.ref, request))


def _resume_entries(
    lost: Sequence[SessionIndexEntry], step: Callable[[SessionIndexEntry], ResumedSession]
) -> FleetResumeReport:
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait  # noqa: PLC0415 - only here

    waiting = {key_of(known): known for known in lost}
    parents, _ = find_parents(lost)
    resumed: list[ResumedSession] = []
    left: list[LeftSession] = []
    running: dict[Future[ResumedSession], SessionKey] = {}
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        while waiting or running:
            unfinished = {*waiting, *running.values()}
            ready = [key for key in waiting if parents.get(key) not in unfinished]
            for key in ready[: WORKERS - len(running)]:
                running[pool.submit(step, waiting.pop(key))] = key
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                key = running.pop(future)
                try:
                    resumed.append(future.result())
                except CancellationError:
                    raise
                except LisaError as problem:
                    left.append(_describe_failure(key, problem))
    return FleetResumeReport(resumed=tuple(resumed), left=tuple(left))


def _describe_failure(key: SessionKey, problem: LisaError) -> LeftSession:
    root, name = key
    return LeftSession(
        session=name,
        project_root=root,
        outcome="skipped" if problem.code in ("not_resumable", "session_running") else "failed",
        error_code=problem.code,
        reason=str(problem.details.get("reason") or problem.message),
    )
