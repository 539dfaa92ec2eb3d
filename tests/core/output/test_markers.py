"""Find markers in lines, and echoed prompts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_py import agents
from lisa_py.contract.errors import UsageError
from lisa_py.core.output import markers, prompt_echo
from lisa_py.core.output.markers import SearchLine


def test_offsets_are_bytes_and_lines_count_from_one() -> None:
    found = markers.search([SearchLine("übung"), SearchLine("x DONE DONE")], ("DONE", "NOPE"), "now")
    assert [(hit.marker, hit.line, hit.start, hit.end, hit.at) for hit in found.hits] == [
        ("DONE", 2, 9, 13, "now"),
        ("DONE", 2, 14, 18, "now"),
    ]
    assert found.counts == {"DONE": 2, "NOPE": 0}
    assert (found.found, found.missing) == (("DONE",), ("NOPE",))


def test_counts_do_not_overlap() -> None:
    assert markers.search([SearchLine("aaaa")], ("aa",), "").counts == {"aa": 2}


def test_hits_are_sorted_by_position_then_marker() -> None:
    found = markers.search([SearchLine("ab")], ("ab", "a", "b"), "")
    assert [hit.marker for hit in found.hits] == ["a", "ab", "b"]


def test_echoed_prompt_is_skipped_but_counts_for_offsets() -> None:
    found = markers.search([SearchLine("say DONE", is_output=False), SearchLine("DONE")], ("DONE",), "")
    assert [(hit.line, hit.start) for hit in found.hits] == [(2, 9)]


def test_single_markers_may_contain_commas() -> None:
    assert markers.parse(" a , b,a", ("x,y", "b")) == ("a", "b", "x,y")


@pytest.mark.parametrize("csv", ["a,,b", ",", "a,"])
def test_empty_marker_is_refused(csv: str) -> None:
    with pytest.raises(UsageError) as raised:
        markers.parse(csv)
    assert raised.value.code == "invalid_markers"


def echoed(screen: str, *prompts: str) -> list[int]:
    return sorted(prompt_echo.find_echo_rows(screen.split("\n"), prompts, agents.layout_of()))


def test_prompt_in_input_line_is_an_echo_at_any_row() -> None:
    assert echoed("❯ say DONE\n● DONE\n❯ say DONE", "say DONE") == [0, 2]


def test_wrapped_long_prompt_is_one_echo() -> None:
    prompt = "write a long text about many things and then print the word DONE at the end"
    screen = f"› {prompt[:30]}\n  {prompt[30:60]}\n  {prompt[60:]}\n\n• DONE"
    assert echoed(screen, prompt) == [0, 1, 2]


def test_without_input_sign_only_first_match_is_an_echo() -> None:
    assert echoed("user\nDONE\ncodex\nDONE", "DONE") == [1]


def test_answer_equal_to_a_signed_prompt_is_output() -> None:
    assert echoed("› DONE\n\n• it is\n\nDONE", "DONE") == [0]


def test_answer_that_repeats_part_of_prompt_is_output() -> None:
    assert echoed("● DONE", "say DONE") == []
    assert echoed("● say", "say DONE") == []


def test_shell_line_that_ends_with_the_prompt_is_an_echo() -> None:
    assert echoed("user@host:~$ echo DONE\nDONE\nuser@host:~$ ", "echo DONE") == [0]
    assert echoed("● I will say DONE", "say DONE") == []


def test_end_of_a_scrolled_out_prompt_is_an_echo() -> None:
    prompt = "read all the files and when you are through print the word DONE and nothing else"
    assert echoed("print the word DONE\n  and nothing else\nDONE", prompt) == [0, 1]
    assert echoed("● one\nprint the word DONE and nothing else", prompt) == []


TEXTS = st.text("ab é🙂", max_size=12)


@given(
    st.lists(st.tuples(TEXTS, st.booleans()), max_size=6),
    st.lists(st.text("abé🙂", min_size=1, max_size=3), max_size=3, unique=True),
)
def test_every_hit_is_at_its_offset_and_outside_prompts(lines_given: list[tuple[str, bool]], wanted: list[str]) -> None:
    lines = [SearchLine(text, is_output) for text, is_output in lines_given]
    whole = "\n".join(text for text, _ in lines_given).encode()
    found = markers.search(lines, wanted, "now")
    for hit in found.hits:
        assert whole[hit.start : hit.end].decode() == hit.marker
        assert lines_given[hit.line - 1][1] and hit.marker in lines_given[hit.line - 1][0]
    for marker in wanted:
        assert found.counts[marker] == sum(text.count(marker) for text, is_output in lines_given if is_output)
        assert (marker in found.found) == (found.counts[marker] > 0) == (marker not in found.missing)


@given(st.lists(st.text("abc ", min_size=1).filter(str.strip), min_size=1, max_size=5))
def test_marker_list_is_parsed_in_order_without_repeats(texts: list[str]) -> None:
    assert markers.parse(",".join(texts)) == tuple(dict.fromkeys(text.strip() for text in texts))
    assert markers.parse("", [f"{text},{text}" for text in texts]) == tuple(
        dict.fromkeys(f"{text},{text}".strip() for text in texts)
    )
