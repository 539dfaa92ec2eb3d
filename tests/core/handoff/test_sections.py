"""Fit the sections of a pack into a budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lisa_py.core.handoff import sections
from lisa_py.core.handoff.sections import PackDraft, Section, fit, fit_bytes, share_space, size_of

HEAD = ("session=lisa-a", "state=in_progress")


def output(*lines: str) -> Section:
    return Section(name="capture_tail", lines=lines, weight=50)


def chatty() -> PackDraft:
    """Return sections larger than any budget."""
    return PackDraft(
        HEAD,
        (
            Section(name="recent_events", lines=tuple(f"event {n} happened" for n in range(40)), weight=20, whole=True),
            output(*(f"output line {number}" for number in range(400))),
            Section(name="objective", lines=("goal=ship it | acceptance=" + "x" * 900,), weight=15, keep="start"),
            Section(name="memory", lines=tuple(f"memory line {number}" for number in range(80)), weight=15),
        ),
    )


def test_text_within_budget_is_whole() -> None:
    fitted = fit(PackDraft(HEAD, (output("a", "b"),)), 100)
    assert (fitted.text, fitted.truncated) == ("session=lisa-a\nstate=in_progress\ncapture_tail:\na\nb", False)


def test_long_output_leaves_space_for_other_sections() -> None:
    fitted = fit(chatty(), 150)
    assert size_of(fitted.text) <= 600
    lines = fitted.text.split("\n")
    assert lines[:2] == list(HEAD)
    assert {"event 39 happened", "output line 399", "memory line 79"} <= set(lines)
    assert "goal=ship it | acceptance=" in fitted.text
    assert fitted.cut == ("recent_events", "capture_tail", "objective", "memory")


def test_events_are_never_split() -> None:
    for tokens in range(20, 300, 7):
        for line in fit(chatty(), tokens).text.split("\n"):
            assert "happened" not in line or line.startswith("event ")


def test_unused_share_is_given_to_other_sections() -> None:
    alone = fit(PackDraft(HEAD, (output(*"x" * 999),)), 100)
    beside = fit(PackDraft(HEAD, (output(*"x" * 999), Section(name="memory", lines=("m",), weight=50))), 100)
    assert len(alone.text) - len(beside.text) < 20
    assert beside.text.endswith("memory:\nm")


def test_large_state_is_truncated_at_its_end() -> None:
    fitted = fit(chatty(), 5)
    assert fitted.text == "session=lisa-a\nst..."
    assert fitted.cut[0] == "state"


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=60)
SECTIONS = st.lists(
    st.builds(
        Section,
        name=st.sampled_from(("output", "memory", "events")),
        lines=st.lists(TEXT, min_size=1, max_size=12).map(tuple),
        weight=st.integers(1, 50),
        keep=st.sampled_from(("end", "start")),
        whole=st.booleans(),
    ),
    max_size=5,
)


@given(SECTIONS, st.integers(0, 900))
def test_section_keeps_its_share_and_marks_a_cut(parts: list[Section], most: int) -> None:
    draft = PackDraft(HEAD, tuple(parts))
    fitted = fit_bytes(draft, most)
    assert size_of(fitted.text) <= most
    assert fitted.truncated is (draft.size > most)
    if most >= size_of("\n".join(HEAD)):
        assert fitted.text.startswith("\n".join(HEAD))


@given(st.integers(0, 5000), st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 50)), max_size=8))
def test_shares_follow_the_weights(budget: int, requests: list[tuple[int, int]]) -> None:
    wants, weights = [want for want, _ in requests], [weight for _, weight in requests]
    given_ = share_space(budget, wants, weights)
    assert sum(given_) <= budget
    assert all(0 <= got <= want for got, want in zip(given_, wants, strict=True))
    short = [index for index, got in enumerate(given_) if got < wants[index]]
    if not short:
        return
    assert budget - sum(given_) <= len(requests)  # rounding only
    for index in short:  # who goes short has no less by weight than anybody else
        for other, got in enumerate(given_):
            assert (given_[index] + 1) * weights[other] >= got * weights[index]


def test_lines_of_other_sessions_are_removed() -> None:
    known: dict[str, set[str]] = {}
    first, none = sections.remove_known_lines(
        PackDraft(("session=a", "state=idle"), (output("same", "}", "}"),)), known
    )
    memory = Section(name="memory", lines=("same",), weight=1)
    second, gone = sections.remove_known_lines(
        PackDraft(("session=b", "state=idle"), (output("  SAME", "own", "own"), memory)), known
    )
    assert (first.text, none) == ("session=a\nstate=idle\ncapture_tail:\nsame\n}\n}", 0)
    assert (second.text, gone) == ("session=b\nstate=idle\ncapture_tail:\nown\nown\nmemory:\nsame", 1)
