"""store/child_sessions: a list takes only lines for its own session, and reads past damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_py.core.context import Context
from lisa_py.store import child_sessions, session_folder
from tests.lisa_host import LisaHost


@pytest.fixture
def ctx(machine: LisaHost) -> Context:
    return machine.context()


def test_children_are_listed_once_in_order(ctx: Context, machine: LisaHost) -> None:
    other = machine.folder / "other"
    other.mkdir()
    parent, first, second = ctx.ref("lisa-top"), ctx.ref("lisa-b"), ctx.ref("lisa-a", str(other))
    session_folder.create(parent)
    assert child_sessions.read_children(parent, ctx.settings) is None
    child_sessions.begin_list(parent)
    assert child_sessions.read_children(parent, ctx.settings) == ()
    for child in (first, second, first):
        child_sessions.add_child(parent.folder, "lisa-top", child, ctx.settings)
    with Path(parent.file("children.jsonl")).open("a") as file:
        file.write('{"projectRoot": \n{"projectRoot":"/x","session":"../lisa-x"}\n')
    assert child_sessions.read_children(parent, ctx.settings) == (first, second)


def test_only_the_folder_of_the_parent_gets_a_line(ctx: Context, machine: LisaHost) -> None:
    parent = ctx.ref("lisa-top")
    session_folder.create(parent)
    child_sessions.add_child(parent.folder, "lisa-top", ctx.ref("lisa-a"), ctx.settings)
    assert child_sessions.read_children(parent, ctx.settings) is None
    child_sessions.begin_list(parent)
    elsewhere = machine.folder / "lisa-top"
    elsewhere.mkdir()
    (elsewhere / "children.jsonl").touch()
    for folder, name in ((str(elsewhere), "lisa-top"), (parent.folder, "lisa-other"), ("", "lisa-top"), ("", "")):
        child_sessions.add_child(folder, name, ctx.ref("lisa-a"), ctx.settings)
    assert child_sessions.read_children(parent, ctx.settings) == ()
    assert (elsewhere / "children.jsonl").read_text() == ""
