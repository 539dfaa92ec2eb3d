"""Continue at the position of a pane reader."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_py import agents
from lisa_py.core.output import pane_cursor
from lisa_py.core.output.pane_cursor import PaneDelta
from lisa_py.core.output.pane_text import PaneText
from lisa_py.host.tmux import Pane
from lisa_py.store.cursors import PaneCursor

RUN = "7"
SIGNS = agents.layout_of()


def pane_of(text: str, *, whole: bool = True, alternate: bool = False, from_top: bool = False) -> PaneText:
    lines = tuple(text.rstrip("\n").split("\n")) if text.strip("\n") else ()
    pane = Pane("lisa-x", "%0", 1, False, "", "", alternate, False, 0.0, 0, 20, 80, "")
    return PaneText(lines=lines, pane=pane, whole=whole, from_top=whole or from_top, settled=SIGNS.frame_start(lines))


def text_of(text: PaneText, delta: PaneDelta) -> str:
    rows = range(delta.first, delta.end)
    return "\n".join(text.lines[row][delta.skip if row == delta.first else 0 :] for row in rows)


def after(before: str, now: str, *, whole: bool = True) -> tuple[str, PaneDelta]:
    """Return the delta at `now` of a cursor taken at `before`."""
    first = pane_cursor.read_all(pane_of(before), RUN)
    text = pane_of(now, whole=whole)
    delta = pane_cursor.since_cursor(text, first.cursor, RUN)
    return text_of(text, delta), delta


chunks = st.lists(st.text(alphabet="ab\né ", min_size=0, max_size=12), min_size=1, max_size=8)


def seen_by_pane(text: str) -> str:
    """Remove blanks at line ends, which a terminal does not show."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")


@settings(max_examples=300)
@given(chunks)
def test_deltas_by_offset_add_up_to_the_whole(parts: list[str]) -> None:
    whole, got, offset = "", "", 0
    for chunk in parts:
        whole += chunk.replace(" ", "")
        text = pane_of(whole)
        delta = pane_cursor.since_offset(text, offset, RUN)
        got += text_of(text, delta)
        offset = delta.cursor.offset
        assert not delta.reset
    assert got == seen_by_pane(whole)


@settings(max_examples=300)
@given(chunks)
def test_deltas_by_cursor_add_up_to_the_whole(parts: list[str]) -> None:
    whole, got, cursor = "", "", PaneCursor()
    for chunk in parts:
        whole += chunk.replace(" ", "")
        text = pane_of(whole)
        delta = pane_cursor.since_cursor(text, cursor, RUN)
        got += text_of(text, delta)
        cursor = delta.cursor
        assert not delta.reset
    assert got == seen_by_pane(whole)


@settings(max_examples=100)
@given(st.integers(5, 60), st.integers(1, 60), st.integers(1, 40))
def test_cursor_continues_after_oldest_lines_are_trimmed(before: int, more: int, kept: int) -> None:
    first = [f"line {number}" for number in range(before)]
    later = first + [f"line {number}" for number in range(before, before + more)]
    visible = later[-(more + min(kept, before - 1)) :]
    got, delta = after("\n".join(first), "\n".join(visible), whole=False)
    assert got == "".join("\n" + line for line in later[before:])
    assert not delta.reset
    assert delta.cursor.offset == len("\n".join(later))
    assert delta.cursor.line == len(later)


def cleared(*turns: str) -> PaneText:
    """Return a pane whose agent cleared its screen and with it the first lines of the session."""
    lines = ["banner", "", *(line for turn in turns for line in (f"> {turn}", "", "the answer", ""))]
    return pane_of("\n".join(lines), whole=False, from_top=True)


@settings(max_examples=100)
@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 5))
def test_repeated_turns_on_cleared_screen_are_read_once(before: int, more: int, earlier: int) -> None:
    same = ["again"] * before
    unlike = [f"turn {number}" for number in range(earlier)]
    cursor = pane_cursor.read_all(pane_of("gone " * 50), RUN).cursor
    first = pane_cursor.since_cursor(cleared(*unlike, *same), cursor, RUN)
    assert first.reset == "history_trimmed" and first.cursor.line > first.cursor.rows
    text = cleared(*unlike, *same, *["again"] * more)
    delta = pane_cursor.since_cursor(text, first.cursor, RUN)
    assert text_of(text, delta).count("the answer") == more
    assert not delta.reset


def test_screen_cleared_again_is_a_new_screen() -> None:
    first = pane_cursor.read_all(cleared("one", *["again"] * 20), RUN)
    text = cleared("two", *["again"] * 30)
    assert text_of(text, pane_cursor.since_cursor(text, first.cursor, RUN)).count("the answer") >= 20


def test_lost_anchors_return_all_lines_and_report_a_gap() -> None:
    got, delta = after("a\nb\nc\nd", "w\nx\ny\nz", whole=False)
    assert (got, delta.reset) == ("w\nx\ny\nz", "history_trimmed")
    assert delta.cursor.offset > len("a\nb\nc\nd")


def test_extended_line_returns_only_its_rest() -> None:
    assert after("one\npart", "one\npartial\nnext")[0] == "ial\nnext"


def test_rewritten_line_is_returned_again() -> None:
    got, delta = after("one\ntwo\nthree\n10 %", "one\ntwo\nthree\n20 %\nmore")
    assert (got, delta.reset) == ("\n20 %\nmore", "")


def test_delta_is_empty_without_new_output() -> None:
    got, delta = after("one\ntwo", "one\ntwo")
    assert (got, delta.reset, delta.cursor.offset) == ("", "", 7)


def test_new_session_of_same_name_resets_cursor() -> None:
    text = pane_of("one")
    delta = pane_cursor.since_cursor(text, pane_cursor.read_all(text, "earlier").cursor, RUN)
    assert (text_of(text, delta), delta.reset) == ("one", "other_session")


def test_offset_beyond_output_resets_and_returns_all() -> None:
    text = pane_of("one\ntwo")
    delta = pane_cursor.since_offset(text, 99, RUN)
    assert (text_of(text, delta), delta.reset, delta.cursor.offset) == ("one\ntwo", "offset_beyond_output", 7)


def test_offset_into_trimmed_pane_resets() -> None:
    text = pane_of("x\ny", whole=False)
    assert pane_cursor.since_offset(text, 1, RUN).reset == "history_trimmed"


def test_offset_inside_character_starts_at_that_character() -> None:
    text = pane_of("aéb")
    assert text_of(text, pane_cursor.since_offset(text, 2, RUN)) == "éb"


FRAME = "\n\n────────\n❯ \n────────\n  ? for shortcuts"


def test_input_box_at_bottom_is_not_output() -> None:
    before, now = "● one\n● two" + FRAME, "● one\n● two\n● three" + FRAME
    assert after(before, now)[0] == "\n● three"
    text = pane_of(now)
    assert text_of(text, pane_cursor.since_offset(text, pane_of(before).size, RUN)) == "\n● three"


def test_spinner_above_input_box_is_not_output() -> None:
    before = "● one\n\n✻ Thinking… (3s · esc to interrupt)" + FRAME
    assert after("● one" + FRAME, before)[0] == ""
    assert after(before, "● one\n● two" + FRAME)[0] == "\n● two"
