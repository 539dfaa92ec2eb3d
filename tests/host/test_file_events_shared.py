"""One inotify instance for the waiting threads of a process."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

from lisa_py.host.file_events_shared import EventHub


def count_instances() -> int:
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return sum(os.readlink(link) == "anon_inode:inotify" for link in links if os.path.islink(link))


def test_each_member_gets_its_own_events(tmp_path: Path) -> None:
    hub, before = EventHub(), count_instances()
    folders = [tmp_path / name for name in "abc"]
    members = []
    for folder in folders:
        folder.mkdir()
        members.append(hub.open(("heartbeat",)))
        members[-1].follow("session", [str(folder)], ())
    assert count_instances() <= before + 1  # an idle one is used again
    (folders[0] / "file").touch()
    (folders[1] / "heartbeat").touch()
    assert members[0].wait(10) == {"session"}
    assert members[1].wait(0) == members[2].wait(0) == set()
    members[0].close()
    (folders[2] / "file").touch()
    assert members[2].wait(10) == {"session"}
    for member in members[1:]:
        member.close()


def test_changed_folder_replaces_the_former(tmp_path: Path) -> None:
    hub = EventHub()
    member = hub.open()
    for name in "ab":
        (tmp_path / name).mkdir()
        member.follow("session", [str(tmp_path / name)], ())
    (tmp_path / "a" / "file").touch()
    assert member.wait(0.05) == set()
    (tmp_path / "b" / "file").touch()
    assert member.wait(10) == {"session"}
    member.close()


def test_process_end_or_wake_ends_a_wait(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    member = EventHub().open((), reader)
    with subprocess.Popen(["sleep", "60"]) as process:
        member.follow("session", [str(tmp_path)], [process.pid])
        assert member.wait(0) == set()
        process.kill()
        assert member.wait(10) == {"session"}
    threading.Timer(0.05, os.write, (writer, b"!")).start()
    assert member.wait(10) == set()
    member.close()
    for handle in (reader, writer):
        os.close(handle)
