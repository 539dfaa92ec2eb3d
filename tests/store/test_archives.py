"""store/archives: frames are written in blocks, appear at once, and are removed after their time."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from pathlib import Path

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.contract.records import SessionMeta
from lisa_py.store import archives, live_records, paths
from lisa_py.store.archives import ArchiveWriter
from lisa_py.store.live_records import SessionRecord
from lisa_py.store.paths import SessionRef
from tests.lisa_host import LisaHost


def make_ref(machine: LisaHost) -> SessionRef:
    return SessionRef(paths.resolve_project(str(machine.project), machine.context().settings), "lisa-a")


def write_archive(ref: SessionRef, run_id: str, lines: list[bytes], ended_at: str = "") -> SessionRef:
    meta = SessionMeta(session=ref.session, run_id=run_id, project_root=ref.project.root)
    record = live_records.make_record(ref, meta)
    record.ended_at = ended_at
    writer = ArchiveWriter(ref, record.id)
    for number, line in enumerate(lines):
        writer.add(line, f"t.0.{number}.0")
    return writer.finish(record, meta, ("0",))


def test_frames_are_one_gzip_file_of_independent_blocks(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "BLOCK_BYTES", 50)
    lines = [b'{"n":%d}' % number for number in range(40)]
    archive = write_archive(make_ref(machine), "17", lines)
    blocks = archives.read_index(archive).blocks
    assert len(blocks) > 5 and blocks[-1].last == "t.0.39.0"
    assert [line for block in blocks for line in archives.read_block(archive, block)] == lines
    assert gzip.decompress(Path(archive.file(archives.FRAMES)).read_bytes()).splitlines() == lines


def test_a_damaged_block_is_an_error(machine: LisaHost) -> None:
    archive = write_archive(make_ref(machine), "17", [b"{}"] * 100)
    block = archives.read_index(archive).blocks[0]
    Path(archive.file(archives.FRAMES)).write_bytes(b"x" * block.size)
    with pytest.raises(LisaError) as raised:
        archives.read_block(archive, block)
    assert raised.value.code == "archive_unreadable"


def test_memory_is_flat_while_frames_are_written(machine: LisaHost) -> None:
    line = b'{"text":"%s"}' % (b"word " * 2000)
    tracemalloc.start()
    try:
        write_archive(make_ref(machine), "17", [line] * 2000)  # 20 MB; the list holds one object
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_an_archive_is_found_by_id_and_by_name(machine: LisaHost) -> None:
    ref, settings = make_ref(machine), machine.context().settings
    old, new = (write_archive(ref, run, [], f"2026-01-0{run}T00:00:00Z") for run in ("1", "2"))
    assert archives.find_archive(settings, old.archive.upper()) == old
    assert archives.find_archive(settings, old.archive, ref.project.root) == old
    assert archives.find_archive(settings, old.archive, "/") is None
    assert archives.find_newest(settings, "lisa-a") == archives.find_newest(settings, "lisa-a", ref.project) == new
    assert archives.find_newest(settings, "lisa-b") is None
    archives.remove(new)
    assert archives.find_newest(settings, "lisa-a") == old


def test_archives_expire_with_events(machine: LisaHost) -> None:
    ref, settings = make_ref(machine), machine.context().settings
    old, new = (write_archive(ref, run, [b"{}"]) for run in ("1", "2"))
    ArchiveWriter(ref, live_records.make_id(ref.project, "3"))
    parent = Path(ref.project.folder, "archive")
    now = os.stat(parent).st_mtime
    os.utime(old.file(live_records.FILE), (now - 15 * 86400,) * 2)
    assert archives.prune(ref.project.folder, settings, now) == 1
    assert sorted(os.listdir(parent)) == sorted([new.archive, f".{live_records.make_id(ref.project, '3')}.partial"])
    assert archives.prune(ref.project.folder, settings, now + 3700) == 0
    assert os.listdir(parent) == [new.archive]


def test_preflight_names_an_unreadable_archive(machine: LisaHost) -> None:
    archive = write_archive(make_ref(machine), "17", [b"{}"])
    check = archives.RECORD.check
    assert check is not None and not list(check(archive.project, machine.context().settings))
    Path(archive.file(archives.INDEX)).write_text("{")
    assert [line.partition(":")[0] for line in check(archive.project, machine.context().settings)] == [
        archive.file(archives.INDEX)
    ]


def test_a_full_disk_is_reported_and_leaves_nothing(machine: LisaHost, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = make_ref(machine)
    writer = ArchiveWriter(ref, live_records.make_id(ref.project, "1"))
    os.symlink(
        "/dev/full",
        Path(ref.project.folder, "archive", f".{live_records.make_id(ref.project, '1')}.partial", archives.FRAMES),
    )
    writer.add(b"{}", "p.1")
    with pytest.raises(LisaError) as raised:
        writer.finish(SessionRecord(id="x", session="lisa-a"), SessionMeta(session="lisa-a"), ())
    assert raised.value.code == "store_unwritable"
    writer.discard()
    assert os.listdir(Path(ref.project.folder, "archive")) == []
