"""Read a pane."""

from __future__ import annotations

from lisa_py.core.output import pane_text
from tests.fake_pane import RUN_ID, FakePane
from tests.lisa_host import LisaHost


def test_wrapped_lines_are_joined_and_trailing_blanks_cut(machine: LisaHost) -> None:
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


def test_tail_of_a_long_history_is_read_alone(machine: LisaHost) -> None:
    with FakePane(machine, width=30, height=10) as pane:
        pane.write("".join(f"line {number} " + "x" * (number % 90) + "\n" for number in range(3000)))
        whole = pane.read()
        tail = pane_text.read_tail(pane.ctx, pane.ref, 300)
        assert tail is not None
        assert tail.tail(300) == whole.tail(300)
        assert 300 <= len(tail.lines) < 1300 and set(tail.lines) <= set(whole.lines)
        assert not tail.whole
        assert pane_text.read_tail(pane.ctx, pane.ref, 2900) == whole
    assert pane_text.read_tail(pane.ctx, pane.ctx.ref("lisa-none"), 300) is None


def test_dead_pane_is_readable(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("the last line")
        pane.end()
        assert pane.read().lines[-1] == "the last line"


def test_full_screen_program_is_reported_as_alternate(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("\x1b[?1049h\x1b[2J\x1b[Hfull screen")
        text = pane.read()
        assert text.pane.alternate
        assert not text.whole


def test_cleared_pane_is_not_whole(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write("before\n\x1b[2J\x1b[H\x1b[3Jafter")
        text = pane.read()
        assert text.lines == ("after",)
        assert not text.whole


def test_session_name_is_matched_exactly(machine: LisaHost) -> None:
    with FakePane(machine, "lisa-talk-long") as pane:
        assert pane_text.read(pane.ctx, pane.ctx.ref("lisa-talk")) is None
