"""store/session_index: a second read of the children sees every change and reads only changed files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lisa_py.contract.records import SessionMeta
from lisa_py.core.context import Context
from lisa_py.store import session_folder, session_index, session_records
from lisa_py.store.session_index import ChildIndex
from tests.lisa_host import LisaHost


@pytest.fixture
def ctx(machine: LisaHost) -> Context:
    return machine.context()


def record(ctx: Context, name: str, parent: str = "", root: str = "") -> Path:
    ref = ctx.ref(name, root)
    session_folder.create(ref)
    meta = SessionMeta(session=name, project_root=ref.project.root, parent_session=parent)
    session_records.write_meta(ref, meta)
    return Path(ref.meta)


def test_second_read_sees_every_change(ctx: Context, machine: LisaHost) -> None:
    other = machine.folder / "other"
    other.mkdir()
    index = ChildIndex(ctx.settings)

    def read() -> list[tuple[str, str]]:
        return [(known.ref.session, known.meta.parent_session) for known in index.read()]

    assert read() == []
    record(ctx, "lisa-parent")
    child = record(ctx, "lisa-child", "lisa-parent")
    assert read() == [("lisa-child", "lisa-parent")]
    record(ctx, "lisa-child", "lisa-beside")
    late = record(ctx, "lisa-late", "lisa-parent")
    record(ctx, "lisa-elsewhere", "lisa-parent", str(other))
    assert sorted(read()) == [
        ("lisa-child", "lisa-beside"), ("lisa-elsewhere", "lisa-parent"), ("lisa-late", "lisa-parent")
    ]  # fmt: skip
    record(ctx, "lisa-child")
    late.unlink()
    assert read() == [("lisa-elsewhere", "lisa-parent")]
    child.write_text('{"parentSession": not json')
    assert read() == [("lisa-elsewhere", "lisa-parent")]


def test_unchanged_records_are_not_read_again(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    record(ctx, "lisa-parent")
    record(ctx, "lisa-child", "lisa-parent")
    index = ChildIndex(ctx.settings)
    first = index.read()
    opened: list[str] = []
    monkeypatch.setattr(session_index.files, "read", lambda path: opened.append(path))
    assert index.read() == first and len(first) == 1
    assert opened == []
    os.utime(first[0].ref.meta, (1, 1))
    index.read()
    assert opened == [first[0].ref.meta]


def test_index_of_one_project_has_no_others(ctx: Context, machine: LisaHost) -> None:
    other = machine.folder / "other"
    other.mkdir()
    record(ctx, "lisa-child", "lisa-parent")
    record(ctx, "lisa-elsewhere", "lisa-parent", str(other))
    index = ChildIndex(ctx.settings, ctx.project())
    assert [known.ref.session for known in index.sessions] == ["lisa-child"]
    record(ctx, "lisa-late", "lisa-parent")
    assert len(index.sessions) == 1
    assert len(index.read()) == len(index.sessions) == 2
