"""store/record: a module with a RECORD is checked by preflight, copied by state-sandbox and pruned by cleanup."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from lisa_py import store
from lisa_py.core.workflows import preflight
from lisa_py.host import files
from lisa_py.store import json_records, lanes, paths, pruning, record, registry, registry_snapshot, session_folder
from lisa_py.store.lanes import Lane, Lanes
from lisa_py.store.paths import Project
from lisa_py.store.record import SnapshotPart, StoreRecord, check_registries
from lisa_py.store.registry import project_registry
from lisa_py.store.registry_snapshot import RegistrySnapshot
from tests.lisa_host import LisaHost

HELPERS: tuple[ModuleType, ...] = (json_records, paths, pruning, record, registry, registry_snapshot, session_folder)
HELPER_NAMES = {*(module.__name__.rpartition(".")[2] for module in HELPERS), "session_index", "__init__"}


def test_every_record_module_declares_its_treatment() -> None:
    modules = {path.stem for path in Path(store.__file__ or "").parent.glob("*.py")}
    assert set(record.load_records()) == modules - HELPER_NAMES


def test_snapshot_parts_are_the_fields_of_the_snapshot() -> None:
    parts = [each.snapshot for each in record.load_records().values() if each.snapshot is not None]
    fields = {field.name for field in msgspec.structs.fields(RegistrySnapshot)} - {"version", "project_root"}
    assert {part.field for part in parts} == fields
    assert {part.extra for part in parts} - {""} == set(registry_snapshot.EXTRAS)


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreRecord]:
    """A new kind of record in place of the lanes."""
    registry_of = lambda project: project_registry(project, "notes.json", Lanes, "lane")  # noqa: E731
    declared = StoreRecord(
        check=lambda project, settings: check_registries([registry_of(project)]),
        snapshot=SnapshotPart(field="lane_store", clear_code="x", registry=lambda project, name: registry_of(project)),
        prune=lambda folder, settings, now: files.remove(os.path.join(folder, "notes.json")),
    )
    monkeypatch.setattr(lanes, "RECORD", declared)
    yield declared


def write_notes(project: Project, text: str) -> Path:
    files.ensure_private_dir(project.folder)
    path = Path(project.folder) / "notes.json"
    path.write_text(text)
    return path


def test_new_record_is_checked_copied_and_pruned(machine: LisaHost, notes: StoreRecord) -> None:
    ctx = machine.context()
    project = ctx.project()
    path = write_notes(project, "{")
    problem = preflight._check_stores(ctx, project)
    assert not problem.ok and "notes.json" in problem.detail
    write_notes(project, '{"lanes":{"a":{"name":"a"}}}')
    snapshot = registry_snapshot.take(project, frozenset())
    assert snapshot.lane_store.lanes == {"a": Lane(name="a")}
    assert registry_snapshot.clear(project, frozenset(), ctx.settings)["lane_store"] == 1
    registry_snapshot.restore(project, snapshot, ctx.settings)
    assert path.exists()
    assert pruning.prune(ctx.settings, ctx.clock.now())["lanes"] == 1
    assert not path.exists()
