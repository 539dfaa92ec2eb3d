"""store/snapshots: one file format and one comparison for every "changes since the last answer"."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import Struct

from lisa_py.contract.errors import UsageError
from lisa_py.store import snapshots
from tests.lisa_host import LisaHost

STATES = some.dictionaries(some.sampled_from("abcdef"), some.integers(0, 2))


class Marks(Struct, kw_only=True, rename="camel"):
    updated_at: str = ""
    marks: dict[str, int] = {}


@given(STATES, STATES)
def test_changes_transform_one_snapshot_into_the_other(before: dict[str, int], now: dict[str, int]) -> None:
    found = snapshots.compare(before, now)
    applied = {key: value for key, value in before.items() if key not in found.removed}
    applied.update({key: now[key] for key in (*found.added, *found.changed)})
    assert applied == now
    assert found.count == 0 or before != now


def test_compare_ignores_what_simplify_drops() -> None:
    assert snapshots.compare({"a": 11}, {"a": 21}, lambda value: value % 10).count == 0


def test_write_and_read(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "cursor")
    assert snapshots.read(path, Marks) == Marks()
    snapshots.write(path, Marks(marks={"a": 1}), 0.0)
    assert snapshots.read(path, Marks) == Marks(updated_at="1970-01-01T00:00:00Z", marks={"a": 1})


@pytest.mark.parametrize("text", ["{", "[]", '{"offset":1}', '{"marks":{"a":"x"}}', "12"])
def test_other_files_are_refused_and_reset_on_request(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cursor"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        snapshots.read(str(path), Marks)
    assert refused.value.code == "invalid_cursor_file" and path.read_text() == text
    assert snapshots.read_or_reset(str(path), Marks, True, 5.0) == (Marks(), True)
    assert (tmp_path / "cursor.corrupt-5").read_text() == text


def test_change_loses_no_concurrent_edit(machine: LisaHost) -> None:
    settings = machine.context().settings
    path = str(machine.folder / "own" / "marks.json")

    def add(number: int) -> None:
        snapshots.change(path, Marks, settings, 0.0, lambda stored: Marks(marks={**stored.marks, f"n{number}": number}))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(snapshots.read(path, Marks).marks) == 20
