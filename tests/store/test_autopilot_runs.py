"""store/autopilot_runs: the logs of autopilot runs, of which the newest are kept."""

from __future__ import annotations

import os

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.store import autopilot_runs
from lisa_py.store.autopilot_runs import MAX_KEPT_RUNS, RunRef
from lisa_py.store.paths import Project
from tests.lisa_host import LisaHost

NOW = 1_800_000_000.25


def _many(project: Project, count: int) -> list[RunRef]:
    """Logs of runs that began one second after the other, oldest first."""
    every = [RunRef(project.folder, autopilot_runs.new_id(NOW + number)) for number in range(count)]
    for number, run in enumerate(every):
        autopilot_runs.write(run, {"number": number})
    return every


def test_ids_sort_by_time_and_are_unique(machine: LisaHost) -> None:
    ids = [autopilot_runs.new_id(NOW + number / 1000) for number in range(500)]
    assert ids == sorted(ids)
    assert len({autopilot_runs.new_id(NOW) for _ in range(200)}) == 200
    assert all(autopilot_runs.RUN_ID.match(each) for each in ids)
    assert ids[0].startswith("run-20270115-080000-250-")


def test_prune_keeps_newest_and_active_runs(machine: LisaHost) -> None:
    project = machine.context().project()
    every = _many(project, MAX_KEPT_RUNS + 5)
    with autopilot_runs.hold_lock(every[1]):
        autopilot_runs.prune(project.folder)
        assert autopilot_runs.list_runs(project) == [*reversed(every[5:]), every[1]]
    autopilot_runs.prune(project.folder)
    assert autopilot_runs.list_runs(project) == list(reversed(every[5:]))
    assert os.listdir(os.path.join(project.folder, "locks")) == []


def test_list_runs_ignores_other_files(machine: LisaHost) -> None:
    project = machine.context().project()
    (run,) = _many(project, 1)
    for name in ("x.json", run.id, run.id + ".json.corrupt-1", "." + run.id + ".json.tmp"):
        with open(os.path.join(project.folder, "runs", name), "w") as file:
            file.write("{}")
    assert autopilot_runs.list_runs(project) == [run]


def test_lock_ends_with_its_holder_and_is_removed(machine: LisaHost) -> None:
    run = RunRef(machine.context().project().folder, autopilot_runs.new_id(NOW))
    assert not autopilot_runs.is_running(run)
    with autopilot_runs.hold_lock(run):
        assert autopilot_runs.is_running(run)
        with pytest.raises(LisaError) as refused, autopilot_runs.hold_lock(run):
            pass
        assert refused.value.code == "autopilot_run_busy"
        assert autopilot_runs.is_running(run)
    assert not autopilot_runs.is_running(run)
    assert not os.path.exists(run.lock)


def test_find_searches_other_projects_on_request(machine: LisaHost) -> None:
    ctx = machine.context()
    (run,) = _many(ctx.project(), 1)
    other = ctx.project(str(machine.folder))
    assert autopilot_runs.find(run.id, ctx.project(), ctx.settings, anywhere=False) == run
    assert autopilot_runs.find(run.id, other, ctx.settings, anywhere=False) is None
    assert autopilot_runs.find(run.id, other, ctx.settings, anywhere=True) == run


def test_symlink_in_place_of_a_log_is_not_followed(machine: LisaHost) -> None:
    project = machine.context().project()
    (run,) = _many(project, 1)
    target = machine.folder / "target"
    target.write_text("theirs")
    os.remove(run.log)
    os.symlink(target, run.log)
    with pytest.raises(OSError):
        autopilot_runs.read(run)
    autopilot_runs.write(run, {"mine": 1})
    assert (target.read_text(), os.path.islink(run.log)) == ("theirs", False)
