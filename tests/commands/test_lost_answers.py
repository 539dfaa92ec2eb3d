"""An answer that does not reach its reader moves no cursor: the next call gives the same again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import IO

import pytest

from lisa_py.store import events
from tests.fake_pane import FakePane
from tests.lisa_host import PROGRAM, LisaHost

READERS = [
    ("capture", "--raw", "--cursor-file", "c"),
    ("capture", "--raw", "--semantic-delta", "--cursor-file", "c"),
    ("handoff", "--cursor-file", "c"),
    ("packet", "--cursor-file", "c"),
    ("packet", "--delta-json", "--cursor-file", "c"),
    ("diff-pack", "--cursor-file", "c"),
    ("diff-pack", "--semantic-only", "--cursor-file", "c"),
    ("aggregate", "--delta-json", "--cursor-file", "c"),
]


def call(machine: LisaHost, words: tuple[str, ...], out: int | IO[str]) -> int:
    which = "--sessions" if words[0] == "aggregate" else "--session"
    argv = [*PROGRAM, "session", words[0], which, "lisa-talk", *words[1:], "--json"]
    return subprocess.run(argv, env=machine.env, cwd=machine.project, stdout=out, check=False, timeout=60).returncode


def files(machine: LisaHost) -> dict[str, bytes]:
    folder = Path(machine.project)
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_cursor_moves_after_the_answer_is_written(machine: LisaHost, words: tuple[str, ...]) -> None:
    with FakePane(machine) as pane, open(os.devnull, "w") as anybody:
        pane.write("hello\n")
        assert call(machine, words, anybody) == 0
        stood = files(machine)
        assert stood["c"]
        pane.write("and more\n")
        events.add(pane.ref, pane.ctx.settings, 0.0, type="transition", state="in_progress", reason="r")
        read, gone = os.pipe()
        os.close(read)
        assert call(machine, words, gone) == 141
        os.close(gone)
        assert files(machine) == stood
        if os.path.exists("/dev/full"):
            with open("/dev/full", "w") as full:
                assert call(machine, words, full) == 1
            assert files(machine) == stood
        assert call(machine, words, anybody) == 0
        moved = files(machine)
        assert moved.keys() == stood.keys() and moved != stood
