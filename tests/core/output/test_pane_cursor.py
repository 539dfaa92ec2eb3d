"""Going on where a reader of a pane stopped."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_py.core.output import pane_cursor
from lisa_py.core.output.pane_cursor import PaneDelta
from lisa_py.core.output.pane_text import PaneText
from lisa_py.host.tmux import Pane
from lisa_py.store.cursors import PaneCursor
from lisa_py.terminal import layout

RUN = "7"


def pane_of(text: str, *, whole: bool = True, alternate: bool = False, from_top: bool = False) -> PaneText:
    lines = tuple(text.rstrip("\n").split("\n")) if text.strip("\n") else ()
    pane = Pane("lisa-x", "%0", 1, False, "", "", alternate, False, 0.0, 0, 20, 80, "")
    return PaneText(lines=lines, pane=pane, whole=whole, from_top=whole or from_top, settled=layout.frame_start(lines))


def words(text: PaneText, delta: PaneDelta) -> str:
    rows = range(delta.first, delta.end)
    return "\n".join(text.lines[row][delta.skip if row == delta.first else 0 :] for row in rows)


def after(before: str, now: str, *, whole: bool = True) -> tuple[str, PaneDelta]:
    """What a cursor taken at `before` gives at `now`."""
    first = pane_cursor.read_all(pane_of(before), RUN)
    text = pane_of(now, whole=whole)
    delta = pane_cursor.since_cursor(text, first.cursor, RUN)
    return words(text, delta), delta


chunks = st.lists(st.text(alphabet="ab\né ", min_size=0, max_size=12), min_size=1, max_size=8)


def seen_by_pane(text: str) -> str:
    """A terminal shows no blanks at line ends; a reader cannot tell them."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")


@settings(max_examples=300)
@given(chunks)
def test_deltas_by_offset_put_together_are_the_whole(parts: list[str]) -> None:
    whole, got, offset = "", "", 0
    for chunk in parts:
        whole += chunk.replace(" ", "")
        text = pane_of(whole)
        delta = pane_cursor.since_offset(text, offset, RUN)
        got += words(text, delta)
        offset = delta.cursor.offset
        assert not delta.reset
    assert got == seen_by_pane(whole)


@settings(max_examples=300)
@given(chunks)
def test_deltas_by_cursor_put_together_are_the_whole(parts: list[str]) -> None:
    whole, got, stand = "", "", PaneCursor()
    for chunk in parts:
        whole += chunk.replace(" ", "")
        text = pane_of(whole)
        delta = pane_cursor.since_cursor(text, stand, RUN)
        got += words(text, delta)
        stand = delta.cursor
        assert not delta.reset
    assert got == seen_by_pane(whole)


@settings(max_examples=100)
@given(st.integers(5, 60), st.integers(1, 60), st.integers(1, 40))
def test_a_cursor_goes_on_when_the_pane_has_lost_its_oldest_lines(before: int, more: int, kept: int) -> None:
    first = [f"line {number}" for number in range(before)]
    later = first + [f"line {number}" for number in range(before, before + more)]
    visible = later[-(more + min(kept, before - 1)) :]
    got, delta = after("\n".join(first), "\n".join(visible), whole=False)
    assert got == "".join("\n" + line for line in later[before:])
    assert not delta.reset
    assert delta.cursor.offset == len("\n".join(later))
    assert delta.cursor.line == len(later)


def cleared(*turns: str) -> PaneText:
    """What is printed since the agent cleared its screen and with it the session's first lines."""
    lines = ["banner", "", *(line for turn in turns for line in (f"> {turn}", "", "the answer", ""))]
    return pane_of("\n".join(lines), whole=False, from_top=True)


@settings(max_examples=100)
@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 5))
def test_turns_that_repeat_on_a_cleared_screen_are_given_once(before: int, more: int, earlier: int) -> None:
    same = ["again"] * before
    unlike = [f"turn {number}" for number in range(earlier)]
    stand = pane_cursor.read_all(pane_of("gone " * 50), RUN).cursor
    first = pane_cursor.since_cursor(cleared(*unlike, *same), stand, RUN)
    assert first.reset == "history_trimmed" and first.cursor.line > first.cursor.rows
    text = cleared(*unlike, *same, *["again"] * more)
    delta = pane_cursor.since_cursor(text, first.cursor, RUN)
    assert words(text, delta).count("the answer") == more
    assert not delta.reset


def test_a_screen_cleared_once_more_is_not_the_one_that_was_read() -> None:
    first = pane_cursor.read_all(cleared("one", *["again"] * 20), RUN)
    text = cleared("two", *["again"] * 30)
    assert words(text, pane_cursor.since_cursor(text, first.cursor, RUN)).count("the answer") >= 20


def test_when_the_seen_lines_are_gone_everything_is_given_and_the_gap_is_said() -> None:
    got, delta = after("a\nb\nc\nd", "w\nx\ny\nz", whole=False)
    assert (got, delta.reset) == ("w\nx\ny\nz", "history_trimmed")
    assert delta.cursor.offset > len("a\nb\nc\nd")


def test_a_line_that_grew_gives_only_its_rest() -> None:
    assert after("one\npart", "one\npartial\nnext")[0] == "ial\nnext"


def test_a_line_that_was_rewritten_is_given_again() -> None:
    got, delta = after("one\ntwo\nthree\n10 %", "one\ntwo\nthree\n20 %\nmore")
    assert (got, delta.reset) == ("\n20 %\nmore", "")


def test_nothing_new_gives_nothing() -> None:
    got, delta = after("one\ntwo", "one\ntwo")
    assert (got, delta.reset, delta.cursor.offset) == ("", "", 7)


def test_a_session_of_the_same_name_is_another_session() -> None:
    text = pane_of("one")
    delta = pane_cursor.since_cursor(text, pane_cursor.read_all(text, "earlier").cursor, RUN)
    assert (words(text, delta), delta.reset) == ("one", "other_session")


def test_an_offset_beyond_the_output_gives_everything_and_says_so() -> None:
    text = pane_of("one\ntwo")
    delta = pane_cursor.since_offset(text, 99, RUN)
    assert (words(text, delta), delta.reset, delta.cursor.offset) == ("one\ntwo", "offset_beyond_output", 7)


def test_an_offset_into_a_trimmed_pane_is_never_guessed() -> None:
    text = pane_of("x\ny", whole=False)
    assert pane_cursor.since_offset(text, 1, RUN).reset == "history_trimmed"


def test_an_offset_inside_a_character_begins_with_that_character() -> None:
    text = pane_of("aéb")
    assert words(text, pane_cursor.since_offset(text, 2, RUN)) == "éb"


FRAME = "\n\n────────\n❯ \n────────\n  ? for shortcuts"


def test_the_input_box_at_the_bottom_is_never_counted_as_output() -> None:
    before, now = "● one\n● two" + FRAME, "● one\n● two\n● three" + FRAME
    assert after(before, now)[0] == "\n● three"
    text = pane_of(now)
    assert words(text, pane_cursor.since_offset(text, pane_of(before).size, RUN)) == "\n● three"


def test_a_spinner_above_the_input_box_is_not_output() -> None:
    before = "● one\n\n✻ Thinking… (3s · esc to interrupt)" + FRAME
    assert after("● one" + FRAME, before)[0] == ""
    assert after(before, "● one\n● two" + FRAME)[0] == "\n● two"
