"""Keeps a run's log while the run is flown: by one process at a time, and never in the way of the flight."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.pilot.journey import Journey
from lisa_py.core.pilot.resume import Earlier
from lisa_py.store import runs
from lisa_py.store.places import Project
from lisa_py.store.runs import Run


class FlightLog:
    """Where one flight notes how far it has come; a log that cannot be written is told of once and then left alone."""

    def __init__(self, ctx: Context, project: Project, run: Run) -> None:
        self.project = project
        self.run = run
        self._ctx = ctx
        self._begun = self._broken = False

    def broken(self, problem: LisaError) -> None:
        self._broken = True
        self._ctx.warn_on(problem)

    def keep(self, journey: Journey) -> None:
        """Write the run's summary as it now is."""
        if self._broken:
            return
        try:
            runs.write(self.run, journey)
        except LisaError as problem:
            self.broken(problem)
            return
        if not self._begun:
            self._begun = True
            runs.prune(self.project.folder)


@contextlib.contextmanager
def opened(ctx: Context, project: Project, earlier: Earlier | None) -> Iterator[FlightLog]:
    """Hold the run (the earlier one again, else a new one) for as long as the block lasts.

    Raises LisaError(autopilot_run_busy): another process flies the run, or has flown it on since `earlier` was read.
    """
    again = earlier.id if earlier is not None else ""
    run = Run(project.folder, again or runs.new_id(ctx.clock.now()))
    log = FlightLog(ctx, project, run)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(runs.held(run))
        except LisaError as problem:
            if problem.code != "store_unwritable":
                raise
            log.broken(problem)
        if earlier is not None and earlier.log is not None and runs.read(earlier.log) != earlier.raw:
            raise runs.busy(run)
        yield log
