"""host/file_events_many: one watcher for many sessions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lisa_py.host import file_events_many
from lisa_py.host.file_events_many import GroupWatcher
from tests.polling import wait_until

KINDS: dict[str, Callable[[tuple[str, ...]], GroupWatcher]] = {
    "best": file_events_many.open_watcher,
    "fallback": file_events_many.open_portable_watcher,
}


@pytest.fixture(params=KINDS)
def crowd(request: pytest.FixtureRequest) -> Iterator[GroupWatcher]:
    made = KINDS[request.param](("heartbeat",))
    yield made
    made.close()


def _folders(tmp_path: Path, watcher: GroupWatcher, count: int = 3) -> list[Path]:
    made = [tmp_path / f"m{number}" for number in range(count)]
    for folder in made:
        folder.mkdir()
        watcher.follow(folder.name, [str(folder)], [])
    watcher.wait(0)
    return made


def test_change_in_a_folder_wakes_its_member(tmp_path: Path, crowd: GroupWatcher) -> None:
    folders = _folders(tmp_path, crowd)
    (folders[1] / "done.txt").write_text("x")
    assert "m1" in crowd.wait(5)


def test_heartbeat_and_hidden_files_wake_no_member(tmp_path: Path, crowd: GroupWatcher) -> None:
    folders = _folders(tmp_path, crowd)
    (folders[0] / "heartbeat").write_text("")
    (folders[0] / ".lock").write_text("")
    assert crowd.wait(0.2) == set()


def test_new_file_is_noticed(tmp_path: Path, crowd: GroupWatcher) -> None:
    _folders(tmp_path, crowd)
    shared = tmp_path / "shared"
    shared.mkdir()
    crowd.follow("m0", [str(shared / "mine.jsonl")], [])
    crowd.wait(0.1)
    (shared / "mine.jsonl").write_text("line\n")
    assert "m0" in crowd.wait(5)


def test_process_end_wakes_its_member(tmp_path: Path, crowd: GroupWatcher) -> None:
    _folders(tmp_path, crowd)
    child = subprocess.Popen(["/bin/sleep", "60"])
    crowd.follow("m2", [str(tmp_path / "m2")], [child.pid])
    assert crowd.wait(0.1) == set()
    child.kill()
    assert "m2" in crowd.wait(5)
    child.wait()


@pytest.fixture
def exact(tmp_path: Path) -> Iterator[GroupWatcher]:
    made = file_events_many.open_watcher(("heartbeat",))
    if type(made).__name__ != "InotifyGroupWatcher":
        made.close()
        pytest.skip("no inotify here")
    yield made
    made.close()


def test_only_the_affected_member_is_woken(tmp_path: Path, exact: GroupWatcher) -> None:
    folders = _folders(tmp_path, exact)
    shared = tmp_path / "shared"
    shared.mkdir()
    for number in range(3):
        exact.follow(f"m{number}", [str(folders[number]), str(shared / f"{number}.json")], [])
    (folders[2] / "x").touch()
    assert exact.wait(5) == {"m2"}
    (shared / "0.json").write_text("{}")
    assert _all(exact, "m0") == {"m0"}


def _all(watcher: GroupWatcher, member: str) -> set[str]:
    found: set[str] = set()

    def look() -> bool:
        found.update(watcher.wait(0.05))
        return member in found

    wait_until(look)
    return found


def test_recreated_folder_is_watched_again(tmp_path: Path, exact: GroupWatcher) -> None:
    folder = _folders(tmp_path, exact)[0]
    folder.rmdir()
    assert exact.wait(5) == {"m0"}
    exact.wait(0.05)
    folder.mkdir()
    exact.follow("m0", [str(folder)], [])
    (folder / "x").touch()
    assert exact.wait(5) == {"m0"}


def test_touched_file_wakes_no_member(tmp_path: Path, exact: GroupWatcher) -> None:
    folder = _folders(tmp_path, exact)[0]
    (folder / "other").write_text("")
    _all(exact, "m0")
    (folder / "other").touch()
    subprocess.run(["touch", "-h", str(folder / "other")], check=True)
    assert exact.wait(0.2) == set()


WATCH_SCRIPT = """
import os, sys, threading, time
from lisa_py.host import file_events_many
folder, opener, limits = sys.argv[1], sys.argv[2], sys.argv[3:]
for name in limits:
    with open('/proc/sys/user/' + name, 'w') as limit:
        limit.write('0')
log = os.path.join(folder, 'hooks.jsonl')
open(log, 'w').close()
watcher = getattr(file_events_many, opener)(('heartbeat',))
watcher.follow('m0', [folder], [])
watcher.wait(0)
def append():
    with open(log, 'a') as out:
        out.write('line')
threading.Timer(0.3, append).start()
began = time.monotonic()
found = set()
while not found and time.monotonic() < began + 10:
    found = watcher.wait(10)
watcher.close()
print(sorted(found), time.monotonic() - began < 5)
"""


@pytest.mark.parametrize("opener", ["open_watcher", "open_portable_watcher"])
@pytest.mark.parametrize("limit", ["max_inotify_instances", "max_inotify_watches"])
def test_without_inotify_files_are_polled(tmp_path: Path, opener: str, limit: str) -> None:
    if subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no user namespace, in which the limits can be lowered")
    words = [sys.executable, "-c", WATCH_SCRIPT, str(tmp_path), opener, limit]
    ended = subprocess.run(["unshare", "-Ur", *words], capture_output=True, check=False, text=True, timeout=60)
    assert ended.stdout.strip() == "['m0'] True", ended
    assert ended.stderr == ""


def test_a_symbolic_link_and_its_folder_are_both_watched(tmp_path: Path, exact: GroupWatcher) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    exact.follow("a", [str(real / "x")], [])
    exact.follow("b", [str(link / "x")], [])
    (real / "x").touch()
    assert exact.wait(5) == {"a", "b"}


def test_renamed_folder_is_no_longer_watched(tmp_path: Path, exact: GroupWatcher) -> None:
    folder = _folders(tmp_path, exact)[0]
    folder.rename(tmp_path / "other")
    assert exact.wait(5) == {"m0"}
    exact.wait(0.05)
    (tmp_path / "other" / "x").touch()
    assert exact.wait(0.1) == set()
    folder.mkdir()
    assert _all(exact, "m0") == {"m0"}
    (folder / "x").touch()
    assert _all(exact, "m0") == {"m0"}


def test_only_folders_in_use_keep_a_watch(tmp_path: Path, exact: GroupWatcher) -> None:
    _folders(tmp_path, exact, 2)
    exact.follow("m0", [str(tmp_path / "m1" / "x")], [])
    exact.follow("m1", [], [])
    (tmp_path / "m0" / "x").touch()
    (tmp_path / "m1" / "other").touch()
    assert exact.wait(0.1) == set()
    (tmp_path / "m1" / "x").touch()
    assert exact.wait(5) == {"m0"}


def test_new_watcher_has_no_old_events(tmp_path: Path, exact: GroupWatcher) -> None:
    folder = _folders(tmp_path, exact, 1)[0]
    (folder / "x").touch()
    exact.close()
    again = file_events_many.open_watcher()
    other = tmp_path / "other"
    other.mkdir()
    again.follow("b", [str(other)], [])
    (folder / "y").touch()
    assert again.wait(0.1) == set()
    (other / "x").touch()
    assert again.wait(5) == {"b"}
    again.close()


HANDLES_SCRIPT = """
import os, resource, subprocess, sys, time
from lisa_py.host import file_events_many
resource.setrlimit(resource.RLIMIT_NOFILE, (80, int(sys.argv[2])))
watcher = file_events_many.open_watcher()
child = subprocess.Popen(['/bin/sleep', '60'])
for number in range(300):
    watcher.follow(f'm{number}', [sys.argv[1]], [child.pid])
opened = [os.open('/dev/null', os.O_RDONLY) for _ in range(40)]
def take(count, seconds):
    found, deadline = set(), time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        found |= watcher.wait(deadline - time.monotonic())
    return found
child.kill()
found = take(300, 5 if sys.argv[2] == '4096' else 0.3)
child.wait()
watcher.follow('late', [], [child.pid])
late = take(1, 5)
with open(sys.argv[1] + '/done.txt', 'w'):
    pass
print(len(found), 'late' in late, len(take(300, 5)), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(("hard", "noticed", "soft"), [(80, False, 80), (4096, True, 640)])
def test_spare_handles_are_left_at_the_limit(tmp_path: Path, hard: int, noticed: bool, soft: int) -> None:
    words = [sys.executable, "-c", HANDLES_SCRIPT, str(tmp_path), str(hard)]
    ended = subprocess.run(words, capture_output=True, check=False, text=True, timeout=60)
    found, late, by_file, limit = ended.stdout.split()
    assert (int(found) == 300) == noticed, ended
    assert (late, int(by_file), int(limit)) == ("True", 300, soft), ended
