"""terminal/table: widths, cuts and colours."""

from __future__ import annotations

import pytest

from lisa_py.terminal.table import Screen, TableRow, format_age, format_table, text_width, truncate_row


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("漢字", 4), ("e\u0301", 1), ("\x1b[31mred\x1b[0m", 3), ("a\u200bb", 2), ("●", 1)]
)
def test_width_counts_columns(text: str, width: int) -> None:
    assert text_width(text) == width


@pytest.mark.parametrize(
    ("row", "width", "shown"),
    [
        ("short", 10, "short"),
        ("exactly", 7, "exactly"),
        ("too long", 4, "too "),
        ("\x1b[31mred\x1b[0m and more", 5, "\x1b[31mred\x1b[0m a\x1b[0m"),
        ("漢字漢字", 5, "漢字"),
    ],
)
def test_row_is_truncated_to_its_width(row: str, width: int, shown: str) -> None:
    assert truncate_row(row, width) == shown


def test_columns_are_aligned_by_display_width() -> None:
    rows = [TableRow(cells=("漢字", "x")), TableRow(cells=("ab", "y"))]
    assert format_table(("A", "B"), rows, Screen()) == ["A     B", "漢字  x", "ab    y"]


@pytest.mark.parametrize("columns", [30, 40, 60])
def test_table_fits_a_narrow_screen(columns: int) -> None:
    rows = [TableRow(cells=("lisa-a-long-session-name", "waiting_input", "漢" * 40), mark="?")]
    lines = format_table(("SESSION", "STATE", "DETAIL"), rows, Screen(columns=columns))
    assert max(map(text_width, lines)) <= columns
    assert "…" in lines[1]


def test_control_characters_do_not_reach_the_terminal() -> None:
    lines = format_table(("A",), [TableRow(cells=("a\x1b]0;title\x07\nb",))], Screen())
    assert lines == ["A", "a ]0;title b"]


def test_colour_only_with_a_colour_screen() -> None:
    row = TableRow(cells=("a",), style="31")
    assert format_table(("A",), [row], Screen())[1] == "a"
    assert format_table(("A",), [row], Screen(color=True))[1] == "\x1b[31ma\x1b[0m"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, ""), (5, "5s"), (65, "1m05s"), (3 * 3600 + 60, "3h01m"), (90000, "1d01h")]
)
def test_age_has_two_units(seconds: float, shown: str) -> None:
    assert format_age(seconds) == shown
