"""store/pruning: outdated records are removed, others stay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lisa_py.core.context import Context
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.store import autopilot_runs, events, pruning, session_memory, session_records
from lisa_py.store.autopilot_runs import RunRef
from lisa_py.store.paths import SessionRef
from tests.lisa_host import LisaHost

HOUR, DAY = 3600.0, 24 * 3600.0
NOW = 1_800_000_000.0


@pytest.fixture
def ctx(machine: LisaHost) -> Context:
    return machine.context()


def aged(path: str | Path, seconds: float) -> Path:
    os.utime(path, (NOW - seconds, NOW - seconds))
    return Path(path)


def remember(ctx: Context, ref: SessionRef, expires: float) -> Path:
    store = session_memory.registry(ref)
    with store.change(ctx.settings, NOW) as opened:
        opened.content.updated_at, opened.content.expires_at = format_rfc3339(NOW - HOUR), format_rfc3339(NOW + expires)
    return Path(store.path)


def _run(ctx: Context, ident: str, age: float) -> Path:
    run = RunRef(ctx.project().folder, ident)
    autopilot_runs.write(run, {"ok": False})
    return aged(run.log, age)


def test_old_run_logs_are_removed_unless_active(ctx: Context) -> None:
    old, young, active = (f"run-20270101-000000-00{number}-abcdef" for number in range(3))
    for ident in (old, young, active):
        _run(ctx, ident, 13 * DAY if ident == young else 15 * DAY)
    with autopilot_runs.hold_lock(RunRef(ctx.project().folder, active)):
        pruning.prune(ctx.settings, NOW)
    assert [run.id for run in autopilot_runs.list_runs(ctx.project())] == [active, young]


def test_old_event_logs_of_killed_sessions_are_removed(ctx: Context) -> None:
    for name in ("lisa-old", "lisa-young", "lisa-alive"):
        events.add(ctx.ref(name), ctx.settings, NOW, type="lifecycle", reason="kill_success")
        aged(ctx.ref(name).events, 13 * DAY if name == "lisa-young" else 15 * DAY)
    files.write(ctx.ref("lisa-alive").meta, "{}")
    assert pruning.prune(ctx.settings, NOW)["events"] == 1
    there = [name for name in ("lisa-old", "lisa-young", "lisa-alive") if os.path.exists(ctx.ref(name).events)]
    assert there == ["lisa-young", "lisa-alive"]


def test_temporary_files_of_killed_writers_are_removed(ctx: Context) -> None:
    ref = ctx.ref("lisa-x")
    events.add(ref, ctx.settings, NOW, type="lifecycle", reason="kill_success")
    memory_file = remember(ctx, ref, DAY)
    written = [
        Path(ctx.settings.state_dir) / ".oauth_tokens.json.123-0a1b2c3d",
        Path(ref.project.folder) / ".lanes.json.123-0a1b2c3d",
        Path(ref.folder) / ".state.json.123-0a1b2c3d",
        memory_file.parent / ".lisa-x.json.123-0a1b2c3d",
        _run(ctx, "run-20270101-000000-000-abcdef", 0).parent / ".run-1.json.123-0a1b2c3d",
    ]
    for path in written:
        path.write_text("{")
        aged(path, 2 * HOUR)
    fresh = Path(ref.folder) / ".meta.json.124-0a1b2c3d"
    fresh.write_text("{")
    aged(fresh, 5)
    others = aged(files.make_temporary_dir(str(Path(ref.project.folder) / ".mine-")), 9 * DAY)
    pruning.prune(ctx.settings, NOW)
    assert [path for path in written if path.exists()] == []
    assert fresh.exists() and others.exists() and memory_file.exists()


def test_expired_memories_are_removed(ctx: Context) -> None:
    over, live = remember(ctx, ctx.ref("lisa-a"), -1), remember(ctx, ctx.ref("lisa-b"), HOUR)
    corrupt = live.parent / "lisa-c.json"
    corrupt.write_text("{")
    pruning.prune(ctx.settings, NOW)
    assert sorted(path.name for path in live.parent.iterdir()) == ["lisa-b.json", "lisa-b.json.lock", "lisa-c.json"]
    assert not over.exists()


def test_unused_locks_are_removed_unless_held(ctx: Context) -> None:
    folder = Path(ctx.project().folder) / "locks"
    for name in ("lisa-lost", "lisa-new", "lisa-there", "lisa-held"):
        with session_records.session_lock(ctx.ref(name), ctx.settings, "name"):
            pass
        aged(folder / f"{name}.name", HOUR if name == "lisa-new" else 2 * DAY)
    files.ensure_private_dir(ctx.ref("lisa-there").folder)
    (folder / "dedupe").write_text("")
    aged(folder / "dedupe", 9 * DAY)
    with files.lock(str(folder / "lisa-held.name"), timeout_ms=1000):
        pruning.prune(ctx.settings, NOW)
    assert sorted(path.name for path in folder.iterdir()) == [
        "dedupe", "lisa-held.name", "lisa-new.name", "lisa-there.name",
    ]  # fmt: skip


def test_pruning_is_repeated_after_an_hour(ctx: Context) -> None:
    old = [ctx.ref(f"lisa-{number}") for number in range(4)]

    def make_old(ref: SessionRef) -> None:
        events.add(ref, ctx.settings, NOW, type="lifecycle", reason="kill_success")
        aged(ref.events, 15 * DAY)

    def stamp(seconds: float) -> None:
        aged(Path(ctx.settings.state_dir, "pruned"), seconds)

    for ref, age, is_pruned in (
        (old[0], None, True),
        (old[1], HOUR - 1, False),
        (old[2], HOUR, True),
        (old[3], -5.0, True),
    ):
        make_old(ref)
        if age is not None:
            stamp(age)
        pruning.prune_hourly(ctx.settings, NOW)
        assert os.path.exists(ref.events) != is_pruned, age
