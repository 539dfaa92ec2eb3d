"""Lines of standard input beside live output."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from lisa_py.cli.line_input import PlainInput, open_input
from lisa_py.contract.errors import CancellationError
from lisa_py.host.cancellation import Cancellation


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for handle in (reader, writer):
        try:
            os.close(handle)
        except OSError:
            continue


def test_lines_are_read_to_the_end_of_input(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, "one\n\n größe \nlast".encode())
    os.close(writer)
    lines: list[str] = []
    PlainInput(Cancellation(), reader).read(lambda line: lines.append(line) is None)
    assert lines == ["one", "", " größe ", "last"]


def test_a_line_may_end_the_reading(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"one\nquit\nmore\n")
    lines: list[str] = []

    def read(line: str) -> bool:
        lines.append(line)
        return line != "quit"

    PlainInput(Cancellation(), reader).read(read)
    assert lines == ["one", "quit"]


def test_input_can_be_stopped_from_another_thread(pipe: tuple[int, int]) -> None:
    source = PlainInput(Cancellation(), pipe[0])
    thread = threading.Thread(target=source.read, args=(lambda line: True,), daemon=True)
    thread.start()
    source.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_ctrl_c_is_a_cancellation(pipe: tuple[int, int]) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(CancellationError):
        PlainInput(cancellation, pipe[0]).read(lambda line: True)


def test_a_closed_input_is_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    open_input(Cancellation(), edited=True).read(lambda line: True)
