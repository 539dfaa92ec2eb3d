"""Short forms of output."""

from __future__ import annotations

from lisa_py import agents
from lisa_py.core.output import summary

SIGNS = agents.layout_of()
OUTPUT = "\n".join(f"line {number}" for number in range(100))


def test_terse_keeps_the_last_lines_and_drops_marks_and_repeats() -> None:
    made = summary.summarize(
        "__LISA_SESSION_START__:1:2\na\n\na\nb\n__LISA_EXEC_DONE__:0\n__LISA_SESSION_DONE__:1:0", "terse", 320, SIGNS
    )
    assert made.text == "a\nb\n__LISA_EXEC_DONE__:0"


def test_terse_over_budget_drops_oldest_lines() -> None:
    made = summary.summarize(OUTPUT, "terse", 10, SIGNS)
    assert made.truncated
    assert made.text.endswith("line 98\nline 99")
    assert len(made.text) <= 40


def test_empty_text_has_an_explicit_summary() -> None:
    assert summary.summarize("\n \n", "terse", 320, SIGNS).text == "(no capture output)"


def test_ops_shows_last_non_empty_lines() -> None:
    made = summary.summarize(OUTPUT + "\n\n\n", "ops", 320, SIGNS, session="lisa-x")
    assert made.text.split("\n")[:3] == ["ops_summary:", "session=lisa-x", "lines=103"]
    assert made.text.endswith("tail:\n" + "\n".join(f"line {number}" for number in range(92, 100)))


def test_ops_lists_errors_above_the_tail_first() -> None:
    made = summary.summarize("ok\nError: disk full\n" + OUTPUT, "ops", 320, SIGNS)
    assert "contains_error=true\nerrors:\nError: disk full\ntail:" in made.text


def test_word_containing_error_is_not_an_error() -> None:
    for text in ("terrorised", "0 errors", "no errors found", "errorless"):
        assert "contains_error=false" in summary.summarize(text, "ops", 320, SIGNS).text


def test_ops_over_budget_keeps_head_and_newest_line() -> None:
    made = summary.summarize("\n".join(f"line {number} {'x' * 60}" for number in range(100)), "ops", 80, SIGNS)
    assert made.truncated
    assert made.text.startswith("ops_summary:")
    assert f"line 99 {'x' * 60}" in made.text
    assert len(made.text) <= 320


def test_debug_shows_state_head_and_tail() -> None:
    made = summary.summarize(OUTPUT, "debug", 320, SIGNS, session="lisa-x", state="in_progress/active reason=r")
    assert made.text.startswith("debug_summary:\nsession=lisa-x\nstate=in_progress/active reason=r\nchars=")
    assert "head:\nline 0\n" in made.text
    assert made.text.endswith("line 99")
