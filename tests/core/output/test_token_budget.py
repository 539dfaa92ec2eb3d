"""Fitting a text into a token budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lisa_py.core.output import token_budget


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert token_budget.fit("abcd", 1) == ("abcd", False)


def test_the_newest_is_kept_and_the_cut_is_shown() -> None:
    text, cut = token_budget.fit("old\n" * 50 + "the end", 4)
    assert cut
    assert text.startswith("...")
    assert text.endswith("the end")


def test_a_cut_falls_on_the_beginning_of_a_line() -> None:
    text, _ = token_budget.fit("first line\nsecond line\nthird", 6)
    assert text == "...second line\nthird"


def test_a_line_longer_than_the_room_is_cut_inside() -> None:
    assert token_budget.fit("x" * 100, 3) == ("..." + "x" * 9, True)


def test_no_budget_is_no_text() -> None:
    assert token_budget.fit("abc", 0) == ("", False)


def test_a_combined_character_is_not_taken_apart() -> None:
    text, _ = token_budget.keep_newest("a" * 10 + "e\u0301" + "xy", 7)
    assert text == "...xy"


@given(st.text(max_size=200), st.integers(0, 60))
def test_no_character_is_torn_and_the_budget_is_never_exceeded(text: str, tokens: int) -> None:
    short, cut = token_budget.fit(text, tokens)
    assert len(short.encode("utf-8", "surrogatepass")) <= tokens * 4
    assert "\ufffd" not in short or "\ufffd" in text
    if cut:
        assert text.endswith(short.removeprefix("..."))
    elif tokens:
        assert short == text
