"""The offset of a pane, counted from remembered rows, equals the size of its whole text."""

from __future__ import annotations

import pytest

from lisa_py.core.output import pane_offset
from lisa_py.host.run import ProgramResult
from lisa_py.host.tmux import Tmux
from lisa_py.store import pane_counts
from lisa_py.store.pane_counts import PaneCount
from tests.fake_pane import FakePane
from tests.lisa_host import LisaHost


def numbered(first: int, last: int, text: str = "line") -> str:
    return "".join(f"{text} {number}\n" for number in range(first, last))


def offset_of(pane: FakePane) -> int:
    """Return the offset after checking it against the whole text, with the old and with the new record."""
    whole = pane.read().size
    assert pane_offset.next_offset(pane.ctx, pane.ref) == whole
    assert pane_offset.next_offset(pane.ctx, pane.ref) == whole
    return whole


def known(pane: FakePane) -> PaneCount:
    found = pane_counts.load(pane.ref)
    assert found is not None
    return found


def test_offset_equals_whole_text_as_output_grows(machine: LisaHost) -> None:
    with FakePane(machine, width=40, height=10) as pane:
        rows = []
        for turn in range(4):
            pane.write(numbered(0, 1500, f"turn {turn}"))
            pane.write("é漢 " * 30 + "\n" + "x" * 95 + "\n   \n\n" + " " * 50 + "end\n")
            offset_of(pane)
            rows.append(known(pane).rows)
            pane.write("one more line without an end")
            offset_of(pane)
        assert rows == sorted(set(rows))


def test_offset_counts_wrapped_lines_once(machine: LisaHost) -> None:
    with FakePane(machine, width=20, height=10) as pane:
        for size in (19, 20, 21, 40, 41, 95):
            pane.write(numbered(0, 400, "w" * size))
            offset_of(pane)
        pane.write("漢字" * 3000 + "\n" + "a " * 4000 + "\n")
        offset_of(pane)
        pane.write(numbered(0, 1200))
        offset_of(pane)
        assert known(pane).rows > 3000


def test_offset_excludes_redrawn_part(machine: LisaHost) -> None:
    with FakePane(machine, height=20) as pane:
        pane.write(numbered(0, 2000) + "─" * 40 + "\n❯ \n" + "─" * 40 + "\n  ? for shortcuts")
        offset_of(pane)
        pane.write("\x1b[4A\r\x1b[J" + "\n" * 400 + "❯ \n\n  ? for shortcuts")
        offset_of(pane)


def test_offset_of_cleared_pane_is_recounted(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write(numbered(0, 3000))
        before = offset_of(pane)
        pane.write("\x1b[2J\x1b[H\x1b[3J" + numbered(0, 1200))
        assert offset_of(pane) < before
        pane.write(numbered(0, 3000))
        assert offset_of(pane) > 0


def test_offset_of_trimmed_pane_is_recounted(machine: LisaHost) -> None:
    machine.env["LISA_HISTORY_LINES"] = "2000"
    with FakePane(machine) as pane:
        pane.write(numbered(0, 1700))
        offset_of(pane)
        pane.write(numbered(0, 1700, "a longer line"))
        assert not pane.read().whole
        offset_of(pane)


def test_offset_of_resized_pane_is_recounted(machine: LisaHost) -> None:
    with FakePane(machine, width=80) as pane:
        pane.write(numbered(0, 3000, "w" * 60))
        offset_of(pane)
        pane.tmux.call("resize-window", "-t", f"={pane.name}:", "-x", "50", "-y", "30")
        offset_of(pane)
        pane.write("after\n")
        offset_of(pane)


def test_offset_of_dead_pane_equals_whole_text(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write(numbered(0, 3000))
        offset_of(pane)
        pane.end()
        offset_of(pane)


def test_offset_ignores_a_damaged_record(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        pane.write(numbered(0, 3000))
        offset_of(pane)
        with open(pane.ref.file("pane-count.json"), "w") as out:
            out.write("{")
        offset_of(pane)


def test_end_of_a_long_pane_has_its_lines_and_offset(machine: LisaHost) -> None:
    with FakePane(machine, width=40) as pane:
        for text in (
            numbered(0, 5000) + "w" * 95 + "\n",
            "last word\n\n",
            numbered(0, 1500, "x" * 50) + "─" * 40 + "\n❯ ",
        ):
            pane.write(text)
            whole = pane.read()
            for _ in range(2):  # with the old and the new record
                found = pane_offset.read_end(pane.ctx, pane.ref, 300)
                assert found is not None and not found.whole
                assert found.size == whole.size
                assert found.lines[-300:] == whole.tail(300)
                assert len(found.lines) - found.settled == len(whole.lines) - whole.settled


def test_end_that_is_not_shorter_is_the_whole_pane(machine: LisaHost) -> None:
    with FakePane(machine) as pane:
        for count, lines in ((300, 500), (1000, 1000), (300, 2600)):
            pane.write(numbered(0, lines))
            assert pane_offset.read_end(pane.ctx, pane.ref, count + 2000) == pane.read()
        pane.write("\x1b[?1049h" + numbered(0, 30))  # a full-screen program has no history
        assert pane_offset.read_end(pane.ctx, pane.ref, 300) == pane.read()


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the answers of tmux."""
    sizes: list[int] = []
    read = Tmux.read

    def record(self: Tmux, *words: str) -> ProgramResult:
        result = read(self, *words)
        sizes.append(len(result.text))
        return result

    monkeypatch.setattr(Tmux, "read", record)
    return sizes


def test_second_offset_reads_few_bytes_in_two_calls(machine: LisaHost, sizes: list[int]) -> None:
    with FakePane(machine) as pane:
        pane.write(numbered(0, 20_000))
        whole = offset_of(pane)
        sizes.clear()
        assert pane_offset.next_offset(pane.ctx, pane.ref) == whole
        assert len(sizes) == 2  # list-panes and one chain of captures
        assert sum(sizes) < whole // 10
        sizes.clear()
        found = pane_offset.read_end(pane.ctx, pane.ref, 300)
        assert found is not None and found.size == whole
        assert len(sizes) == 2 and sum(sizes) < whole // 10
