"""File and process events, and the limits of the waiter."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lisa_py.core.wait.waiter import ReadThrottle, Waiter
from lisa_py.host.clock import Clock
from lisa_py.host.file_events import FileWatcher
from tests.lisa_host import LisaHost

SOON = 5.0
"""A generous deadline in seconds; the benchmarks measure the real delay."""
QUIET = 0.3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "session"
    made.mkdir()
    return made


@pytest.fixture
def watching(folder: Path) -> Iterator[FileWatcher]:
    made = FileWatcher(("heartbeat",))
    made.watch([str(folder)], [])
    try:
        yield made
    finally:
        made.close()


def woken_by(watching: FileWatcher, act: Callable[[], object]) -> bool:
    """Return True if an action during the wait ends it."""
    while watching.wait(0.05):
        pass
    timer = threading.Timer(0.05, act)
    timer.start()
    woken = watching.wait(SOON)
    timer.join()
    return woken


def test_new_file_wakes(watching: FileWatcher, folder: Path) -> None:
    assert woken_by(watching, (folder / "start").touch)


def test_file_moved_into_place_wakes(watching: FileWatcher, folder: Path) -> None:
    (folder / ".done.tmp").write_text("1:0\n")
    assert woken_by(watching, lambda: (folder / ".done.tmp").rename(folder / "done.txt"))


def test_append_to_a_file_that_is_kept_open_wakes(watching: FileWatcher, folder: Path) -> None:
    with (folder / "hooks.jsonl").open("ab", buffering=0) as stream:
        assert woken_by(watching, lambda: stream.write(b"{}\n"))


def test_removed_file_wakes(watching: FileWatcher, folder: Path) -> None:
    (folder / "meta.json").touch()
    assert woken_by(watching, (folder / "meta.json").unlink)


def test_reading_a_watched_file_does_not_wake(watching: FileWatcher, folder: Path) -> None:
    (folder / "state.json").write_text("{}")
    while watching.wait(0.05):
        pass
    for _ in range(20):
        (folder / "state.json").read_text()
        os.listdir(folder)
    assert not watching.wait(QUIET)


def test_ignored_files_do_not_wake(watching: FileWatcher, folder: Path) -> None:
    while watching.wait(0.05):
        pass
    (folder / "heartbeat").write_text("")
    (folder / ".half.tmp").write_text("")
    assert not watching.wait(QUIET)


def test_files_beside_a_watched_file_do_not_wake(watching: FileWatcher, tmp_path: Path) -> None:
    wanted, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    watching.watch([str(wanted)], [])
    assert woken_by(watching, lambda: wanted.write_text("x"))
    while watching.wait(0.05):
        pass
    other.write_text("x")
    assert not watching.wait(QUIET)


def test_file_in_folders_that_do_not_exist_yet_is_noticed(watching: FileWatcher, tmp_path: Path) -> None:
    transcript = tmp_path / "projects" / "enc" / "id.jsonl"
    watching.watch([str(transcript)], [])

    def first_prompt() -> None:
        transcript.parent.mkdir(parents=True)
        transcript.write_text("{}\n")

    assert woken_by(watching, first_prompt)
    while watching.wait(0.1):
        pass
    with transcript.open("ab", buffering=0) as stream:
        assert woken_by(watching, lambda: stream.write(b"{}\n"))


def test_watched_path_behind_a_symlink_wakes(watching: FileWatcher, tmp_path: Path, folder: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    watching.watch([str(link / "t.jsonl")], [])
    assert woken_by(watching, lambda: (folder / "t.jsonl").write_text("x"))


def test_end_of_a_process_wakes_once(watching: FileWatcher, folder: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as sleeper:
        watching.watch([str(folder)], [sleeper.pid])
        assert woken_by(watching, sleeper.kill)
        assert not watching.wait(QUIET), "an end is reported once"


def test_process_that_has_ended_before_wakes_at_once(watching: FileWatcher, folder: Path) -> None:
    with subprocess.Popen(["/bin/true"]) as short:
        short.wait()
    watching.watch([str(folder)], [short.pid])
    assert watching.wait(SOON)


def test_files_are_polled_without_file_events(
    watching: FileWatcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileWatcher, "_schedule", lambda self, folder: False)
    wanted = tmp_path / "slow" / "t.jsonl"
    wanted.parent.mkdir()
    watching.watch([str(wanted)], [])
    assert woken_by(watching, lambda: wanted.write_text("x"))


def test_wait_ends_at_its_time(watching: FileWatcher) -> None:
    assert not watching.wait(0.05)
    assert not watching.wait(-1)


def test_waiter_gives_back_all_handles(machine: LisaHost, folder: Path) -> None:
    def handles() -> int:
        return len(os.listdir("/proc/self/fd"))

    for single in (True, False):
        for attempt in range(6):
            with Waiter(machine.context(), single=single) as waiter:
                waiter.follow("a", [str(folder)], [os.getpid()])
                waiter.follow("a", [str(folder), str(folder / "x")])
            if not attempt:
                before = handles()  # handles that the library never closes are open now
        assert handles() == before


def test_reads_are_limited_in_a_burst_of_events() -> None:
    now = [100.0]
    pace = ReadThrottle(Clock(monotonic=lambda: now[0]))
    pace.start_read()
    now[0] += 0.02
    pace.finish_read()
    assert pace.next_read_at == pytest.approx(100.08)
