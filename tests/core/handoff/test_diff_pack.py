"""Comparison of two packs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lisa_py.core.handoff import diff_pack

PACKS = st.lists(st.text("ab \t", max_size=3), max_size=12).map("\n".join)


@given(PACKS)
def test_pack_equals_itself(pack: str) -> None:
    assert diff_pack.compare(pack, f"\n{pack} \n") == diff_pack.LineChanges(False, (), ())


@given(PACKS, PACKS)
def test_removed_and_added_transform_one_into_the_other(before: str, after: str) -> None:
    change = diff_pack.compare(before, after)
    lines = sorted(line.strip() for line in before.split("\n") if line.strip())
    for line in change.removed:
        lines.remove(line)
    assert sorted((*lines, *change.added)) == sorted(line.strip() for line in after.split("\n") if line.strip())
    assert change.changed or not (change.added or change.removed)


def test_changed_ages_are_no_change_and_todos_are() -> None:
    before = "session=a\ntodos=0/2 wait_estimate=1 output_age_seconds=1 heartbeat_age_seconds=2"
    later = before.replace("seconds=1", "seconds=9")
    assert not diff_pack.compare(before, later).changed
    assert diff_pack.compare(before, later.replace("0/2", "1/2")).added == ("todos=1/2",)
    assert diff_pack.extract_semantic_lines(before) == diff_pack.extract_semantic_lines(later)


def test_advancing_clock_is_no_change() -> None:
    before, after = (
        diff_pack.extract_semantic_lines(f"built in {seconds}s at 10:0{seconds}\nok") for seconds in (1, 2)
    )
    assert not diff_pack.compare_semantic(before, after).changed
    assert diff_pack.compare_semantic(before, (*after, "failed")).added == ("failed",)
