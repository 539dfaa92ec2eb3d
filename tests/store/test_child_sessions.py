"""store/child_sessions: a list takes only lines for its own session, and a damaged one is none."""

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
    assert child_sessions.read_children(parent, ctx.settings) == (first, second)


@pytest.mark.parametrize(
    "line",
    [
        b'{"projectRoot":',
        b'{"projectRoot":"/x","session":"../lisa-x"}',
        b'{"projectRoot":"x","session":"lisa-x"}',
        b'{"projectRoot":"/x\\u0000","session":"lisa-x"}',
        b'{"projectRoot":"/\xff","session":"lisa-x"}',
        b"\0" * 4096,
        b"[" * 100_000,
    ],
)
def test_list_with_a_damaged_line_is_no_list(ctx: Context, line: bytes) -> None:
    """The line may be that of a child in another project: a kill has to look at all of them."""
    parent = ctx.ref("lisa-top")
    session_folder.create(parent)
    child_sessions.begin_list(parent)
    child_sessions.add_child(parent.folder, "lisa-top", ctx.ref("lisa-a"), ctx.settings)
    with Path(parent.file("children.jsonl")).open("ab") as file:
        file.write(line + b"\n")
    assert child_sessions.read_children(parent, ctx.settings) is None


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
