"""Write the log of an autopilot run: one process at a time, and log errors never stop the run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.workflows.autopilot_resume import PreviousRun
from lisa_py.core.workflows.autopilot_steps import AutopilotRun
from lisa_py.store import autopilot_runs
from lisa_py.store.autopilot_runs import RunRef
from lisa_py.store.paths import Project


class AutopilotLog:
    """The log of one run; after a write error it warns once and stops writing."""

    def __init__(self, ctx: Context, project: Project, run: RunRef) -> None:
        self.project = project
        self.run = run
        self._ctx = ctx
        self._written = self._disabled = False

    def disable(self, problem: LisaError) -> None:
        self._disabled = True
        self._ctx.warn_about(problem)

    def write(self, summary: AutopilotRun) -> None:
        """Write the current summary of the run."""
        if self._disabled:
            return
        try:
            autopilot_runs.write(self.run, summary)
        except LisaError as problem:
            self.disable(problem)
            return
        if not self._written:
            self._written = True
            autopilot_runs.prune(self.project.folder)


@contextlib.contextmanager
def open_log(ctx: Context, project: Project, earlier: PreviousRun | None) -> Iterator[AutopilotLog]:
    """Hold the run, the earlier one or a new one, for the duration of the block.

    Raise LisaError(autopilot_run_busy): another process runs it, or has continued it since `earlier` was read.
    """
    previous_id = earlier.id if earlier is not None else ""
    run = RunRef(project.folder, previous_id or autopilot_runs.new_id(ctx.clock.now()))
    log = AutopilotLog(ctx, project, run)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(autopilot_runs.hold_lock(run))
        except LisaError as problem:
            if problem.code != "store_unwritable":
                raise
            log.disable(problem)
        if earlier is not None and earlier.log is not None and autopilot_runs.read(earlier.log) != earlier.raw:
            raise autopilot_runs.busy_error(run)
        yield log
