"""Fit a text into a token budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lisa_py.core.output import token_budget


def test_text_within_budget_is_unchanged() -> None:
    assert token_budget.fit("abcd", 1) == ("abcd", False)


def test_newest_part_is_kept_and_cut_is_marked() -> None:
    text, cut = token_budget.fit("old\n" * 50 + "the end", 4)
    assert cut
    assert text.startswith("...")
    assert text.endswith("the end")


def test_cut_is_at_the_beginning_of_a_line() -> None:
    text, _ = token_budget.fit("first line\nsecond line\nthird", 6)
    assert text == "...second line\nthird"


def test_line_longer_than_budget_is_cut_inside() -> None:
    assert token_budget.fit("x" * 100, 3) == ("..." + "x" * 9, True)


def test_zero_budget_gives_empty_text() -> None:
    assert token_budget.fit("abc", 0) == ("", False)


def test_combined_character_is_not_split() -> None:
    text, _ = token_budget.keep_newest("a" * 10 + "e\u0301" + "xy", 7)
    assert text == "...xy"


@given(st.text(max_size=200), st.integers(0, 60))
def test_no_character_is_split_and_budget_is_kept(text: str, tokens: int) -> None:
    short, cut = token_budget.fit(text, tokens)
    assert len(short.encode("utf-8", "surrogatepass")) <= tokens * 4
    assert "\ufffd" not in short or "\ufffd" in text
    if cut:
        assert text.endswith(short.removeprefix("..."))
    elif tokens:
        assert short == text
