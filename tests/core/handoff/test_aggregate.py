"""Packs of several sessions in one text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lisa_py.core.handoff import aggregate, pack, sections
from lisa_py.core.handoff.aggregate import AggregateFailure, AggregatePart
from lisa_py.core.handoff.pack import PackFacts
from lisa_py.core.output.tail import OutputTail
from lisa_py.store.pack_cursors import AggregateSnapshot


def part(
    name: str, *lines: str, state: str = "in_progress", source: str = "transcript", offset: int = 0
) -> AggregatePart:
    seen = PackFacts(
        session=name,
        project_root="/p",
        session_state=state,
        status="active",
        reason="r",
        next_action="session monitor",
        tail=OutputTail(lines=lines, source=source, next_offset=offset),
    )
    draft = pack.build_draft(seen, "balanced")
    return AggregatePart(seen, draft, sections.fit(draft, 120))


def many(count: int, lines: int = 60) -> list[AggregatePart]:
    return [part(f"lisa-{n:03}", *(f"{n} prints {line}" for line in range(lines))) for n in range(count)]


def test_text_has_state_and_newest_output_of_each_session() -> None:
    combined = aggregate.combine(many(6), 300, dedupe=False)
    assert sections.size_of(combined.text) <= 1200 and combined.truncated
    blocks = [block.split("\n") for block in combined.text.split("\n---\n")]
    assert [block[0] for block in blocks] == [f"session=lisa-{n:03}" for n in range(6)]
    assert [block[-1] for block in blocks] == [f"{n} prints 59" for n in range(6)]
    sizes = [len("\n".join(block)) for block in blocks]
    assert max(sizes) - min(sizes) < 20


def test_unused_share_of_a_session_is_given_to_others() -> None:
    quiet, chatty = part("lisa-a", "ok"), many(1, 200)[0]
    combined = aggregate.combine([quiet, chatty], 300, dedupe=False)
    assert 1100 < sections.size_of(combined.text) <= 1200
    assert "capture_tail:\nok\n---" in combined.text


def test_states_that_need_attention_are_first() -> None:
    parts = [*many(20, 1), part("lisa-zz", "boom", state="crashed"), part("lisa-zy", "?", state="waiting_input")]
    combined = aggregate.combine(parts, 100, dedupe=False)
    assert "session=lisa-zz\nstate=crashed" in combined.text and "session=lisa-zy" in combined.text
    assert combined.truncated and len(combined.omitted) + combined.text.count("session=") == 22


def test_dedupe_removes_repeated_lines_never_a_state() -> None:
    parts = [part("lisa-a", "same", "own a"), part("lisa-b", "same", "own b")]
    combined = aggregate.combine(parts, 900, dedupe=True)
    first, second = combined.text.split("\n---\n")
    assert second.split("\n")[1:5] == first.split("\n")[1:5]
    assert second.endswith("capture_tail:\nown b")
    assert combined.removed == 1


@given(st.integers(0, 40), st.integers(0, 30), st.integers(1, 400), st.booleans())
def test_budget_is_kept(count: int, lines: int, tokens: int, dedupe: bool) -> None:
    combined = aggregate.combine(many(count, lines), tokens, dedupe=dedupe)
    assert sections.size_of(combined.text) <= tokens * 4
    assert len(combined.omitted) < max(1, count)
    if not combined.truncated and not dedupe:
        assert combined.text == "\n---\n".join(one.draft.text for one in many(count, lines))


def test_delta_lists_added_removed_and_changed_sessions() -> None:
    first, known = aggregate.compare_parts(
        AggregateSnapshot(), [part("lisa-a", "1"), part("lisa-b", "1"), part("lisa-c", "1")]
    )
    assert [item.session for item in first.added] == ["lisa-a", "lisa-b", "lisa-c"]
    second, known = aggregate.compare_parts(
        AggregateSnapshot(items=known), [part("lisa-a", "1"), part("lisa-b", "2"), part("lisa-d", "1")]
    )
    assert [[item.session for item in items] for items in (second.added, second.removed, second.changed)] == [
        ["lisa-d"],
        ["lisa-c"],
        ["lisa-b"],
    ]
    assert second.count == 3
    third, _ = aggregate.compare_parts(
        AggregateSnapshot(items=known), [part("lisa-a", "1"), part("lisa-b", "2"), part("lisa-d", "1")]
    )
    assert third.count == 0


def test_repeated_line_is_a_change_and_redrawing_is_not() -> None:
    def count_changes(source: str) -> int:
        _, known = aggregate.compare_parts(AggregateSnapshot(), [part("lisa-a", "x", source=source, offset=10)])
        again = [part("lisa-a", "x", source=source, offset=12)]
        return aggregate.compare_parts(AggregateSnapshot(items=known), again)[0].count

    assert (count_changes("pane"), count_changes("transcript")) == (1, 0)


def test_unreadable_session_is_kept_in_the_cursor() -> None:
    _, known = aggregate.compare_parts(AggregateSnapshot(), [part("lisa-a", "1")])
    delta, kept = aggregate.compare_parts(AggregateSnapshot(items=known), [AggregateFailure("lisa-a", "why")])
    assert (delta.count, kept) == (0, known)
