"""host/file_events and file_events_many: changes of files and ends of processes, whatever reports them."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lisa_py.host import file_events_many
from lisa_py.host.file_events import FileWatcher
from lisa_py.host.file_events_many import GroupWatcher, InotifyGroupWatcher

SOON = 5.0
"""A generous deadline in seconds; the benchmarks measure the real delay."""
QUIET = 0.2
KINDS: dict[str, Callable[[tuple[str, ...]], GroupWatcher]] = {
    "inotify": file_events_many.open_watcher,
    "portable": file_events_many.open_portable_watcher,
}


class Watching:
    """One member of a watcher."""

    def __init__(self, watcher: GroupWatcher) -> None:
        self._watcher = watcher

    def watch(self, paths: list[str], pids: list[int]) -> None:
        self._watcher.follow("m", paths, pids)

    def wait(self, seconds: float) -> bool:
        return bool(self._watcher.wait(seconds))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "session"
    made.mkdir()
    return made


@pytest.fixture(params=KINDS)
def watching(request: pytest.FixtureRequest, folder: Path) -> Iterator[Watching]:
    watcher = KINDS[request.param](("heartbeat",))
    made = Watching(watcher)
    made.watch([str(folder)], [])
    try:
        yield made
    finally:
        watcher.close()


def woken_by(watching: Watching, act: Callable[[], object]) -> bool:
    """Return True if an action during the wait ends it."""
    while watching.wait(0.05):
        pass
    timer = threading.Timer(0.05, act)
    timer.start()
    woken = watching.wait(SOON)
    timer.join()
    return woken


def test_new_file_wakes(watching: Watching, folder: Path) -> None:
    assert woken_by(watching, (folder / "start").touch)


def test_file_moved_into_place_wakes(watching: Watching, folder: Path) -> None:
    (folder / ".done.tmp").write_text("1:0\n")
    assert woken_by(watching, lambda: (folder / ".done.tmp").rename(folder / "done.txt"))


def test_append_to_a_file_that_is_kept_open_wakes(watching: Watching, folder: Path) -> None:
    with (folder / "hooks.jsonl").open("ab", buffering=0) as stream:
        assert woken_by(watching, lambda: stream.write(b"{}\n"))


def test_removed_file_wakes(watching: Watching, folder: Path) -> None:
    (folder / "meta.json").touch()
    assert woken_by(watching, (folder / "meta.json").unlink)


def test_reading_a_watched_file_does_not_wake(watching: Watching, folder: Path) -> None:
    assert woken_by(watching, lambda: (folder / "state.json").write_text("{}"))
    while watching.wait(QUIET):
        pass
    for _ in range(20):
        (folder / "state.json").read_text()
        os.listdir(folder)
    assert not watching.wait(QUIET)


def test_ignored_files_do_not_wake(watching: Watching, folder: Path) -> None:
    while watching.wait(0.05):
        pass
    (folder / "heartbeat").write_text("")
    (folder / ".half.tmp").write_text("")
    assert not watching.wait(QUIET)


def test_other_files_of_the_folder_do_not_wake(watching: Watching, tmp_path: Path) -> None:
    wanted, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    watching.watch([str(wanted)], [])
    assert woken_by(watching, lambda: wanted.write_text("x"))
    while watching.wait(QUIET):
        pass
    other.write_text("x")
    assert not watching.wait(QUIET)


def test_file_in_folders_that_do_not_exist_yet_is_noticed(watching: Watching, tmp_path: Path) -> None:
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


def test_watched_path_behind_a_symlink_wakes(watching: Watching, tmp_path: Path, folder: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    watching.watch([str(link / "t.jsonl")], [])
    assert woken_by(watching, lambda: (folder / "t.jsonl").write_text("x"))


def test_end_of_a_process_wakes_once(watching: Watching, folder: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as sleeper:
        watching.watch([str(folder)], [sleeper.pid])
        assert woken_by(watching, sleeper.kill)
        assert not watching.wait(QUIET), "an end is reported once"


def test_process_that_has_ended_before_wakes_at_once(watching: Watching, folder: Path) -> None:
    with subprocess.Popen(["/bin/true"]) as short:
        short.wait()
    watching.watch([str(folder)], [short.pid])
    assert watching.wait(SOON)


def test_files_are_polled_without_file_events(
    watching: Watching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileWatcher, "_schedule", lambda self, folder: False)
    monkeypatch.setattr(InotifyGroupWatcher, "_watch_folder", lambda self, folder: False)
    wanted = tmp_path / "slow" / "t.jsonl"
    wanted.parent.mkdir()
    watching.watch([str(wanted)], [])
    assert woken_by(watching, lambda: wanted.write_text("x"))


def test_wait_ends_at_its_timeout(watching: Watching) -> None:
    assert not watching.wait(0.05)
    assert not watching.wait(-1)
