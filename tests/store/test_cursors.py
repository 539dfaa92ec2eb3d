"""Cursor files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.store import cursors
from lisa_py.store.cursors import Anchor, CursorFile, EventCursor, PaneCursor


@pytest.mark.parametrize(
    ("content", "offset"),
    [("", 0), (" \n", 0), ("42\n", 42), ("-3", 0), ('{"offset": 7}', 7), ('{"offset": "8"}', 8), ('{"fields":{}}', 0)],
)
def test_integers_and_older_forms_are_read(tmp_path: Path, content: str, offset: int) -> None:
    path = tmp_path / "c"
    path.write_text(content)
    assert cursors.read(str(path)).legacy_offset("pane") == offset


def test_a_missing_file_is_an_empty_cursor(tmp_path: Path) -> None:
    assert cursors.read(str(tmp_path / "none")) == CursorFile()


@pytest.mark.parametrize("content", ["garbage", "{", "[1]", '{"offset": "x"}', '{"pane": 3}', "\xff\xfe"])
def test_other_content_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "c"
    path.write_text(content)
    with pytest.raises(UsageError) as raised:
        cursors.read(str(path))
    assert raised.value.code == "invalid_cursor_file"
    assert path.read_text() == content


def test_a_folder_and_a_symlink_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("5")
    (tmp_path / "link").symlink_to(target)
    for path in (tmp_path, tmp_path / "link"):
        with pytest.raises(UsageError):
            cursors.read(str(path))


def test_corrupt_file_is_set_aside_on_reset(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_text("garbage")
    assert cursors.read_or_reset(str(path), True, 5.0) == (CursorFile(), True)
    assert (tmp_path / "c.corrupt-5").read_text() == "garbage"


def test_a_file_is_private_and_so_are_new_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c"
    cursors.write(str(path), CursorFile(), "pane", 3, 0.0)
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert oct((tmp_path / "a").stat().st_mode & 0o777) == "0o700"


def test_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    cursors.write(str(tmp_path / "c"), CursorFile(), "pane", 3, 0.0)
    assert oct(tmp_path.stat().st_mode & 0o777) == "0o755"


def test_kinds_share_one_file(tmp_path: Path) -> None:
    path = str(tmp_path / "c")
    pane = PaneCursor(offset=9, line=2, anchors=(Anchor("ab", 1),))
    cursors.write(path, CursorFile(pane=pane), "pane", 9, 0.0)
    known = cursors.read(path)
    cursors.write(path, CursorFile(pane=known.pane, events=EventCursor(offset=4)), "events", 4, 0.0)
    both = cursors.read(path)
    assert both.pane == pane
    assert both.events == EventCursor(offset=4)
    assert both.legacy_offset("transcript") == 0


def test_failed_write_is_reported(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with pytest.raises(LisaError) as raised:
        cursors.write(os.path.join(tmp_path, "plain", "c"), CursorFile(), "pane", 1, 0.0)
    assert raised.value.code == "cursor_file_write_failed"


def test_semantic_cursors_are_read_written_and_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "c.semantic.json")
    assert cursors.read_semantic(path).lines == ()
    cursors.stage_semantic(path, ("a", "b"), 0.0).commit()
    assert cursors.read_semantic(path).lines == ("a", "b")
    Path(path).write_text("{")
    with pytest.raises(LisaError) as raised:
        cursors.read_semantic(path)
    assert raised.value.code == "semantic_cursor_read_failed"
