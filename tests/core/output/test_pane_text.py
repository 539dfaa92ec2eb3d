"""Reading a pane."""

from __future__ import annotations

from lisa_py.core.output import pane_text
from tests.fake_pane import RUN_ID, FakePane
from tests.lisa_host import LisaHost


def test_wrapped_lines_are_one_and_trailing_blanks_are_cut(machine: LisaHost) -> None:
    with FakePane(machine, width=30, height=10) as pane:
        pane.write("x" * 100 + "\nshort   \n\n\n")
        text = pane.read()
        assert text.tail(2) == ("x" * 100, "short")
        assert text.whole
        assert text.size == len(f"\n__LISA_SESSION_START__:{RUN_ID}:1\n" + "x" * 100 + "\nshort")


def test_history_above_the_screen_is_read(machine: LisaHost) -> None:
    with FakePane(machine, height=5) as pane:
        pane.write("".join(f"line {number}\n" for number in range(300)))
        assert pane.read().tail(300) == tuple(f"line {number}" for number in range(300))


def test_a_dead_pane_is_still_read(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("the last words")
        pane.end()
        assert pane.read().lines[-1] == "the last words"


def test_a_full_screen_program_is_noted_and_has_no_offset_into_history(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("\x1b[?1049h\x1b[2J\x1b[Hfull screen")
        text = pane.read()
        assert text.pane.alternate
        assert not text.whole


def test_a_cleared_pane_no_longer_begins_at_the_beginning(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("before\n\x1b[2J\x1b[H\x1b[3Jafter")
        text = pane.read()
        assert text.lines == ("after",)
        assert not text.whole


def test_the_pane_of_a_longer_name_is_another_one(machine: LisaHost) -> None:
    with FakePane(machine, "lisa-talk-long") as pane:
        assert pane_text.read(pane.ctx, pane.ctx.ref("lisa-talk")) is None
