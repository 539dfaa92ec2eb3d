"""host/files: locks between processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import filelock
import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.host import files

HOLD = (
    "import sys; from lisa_py.host import files\nwith files.lock(sys.argv[1], timeout_ms=0): print(flush=True); input()"
)


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until it reads a line."""
    started = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None and started.stdout.readline() == "\n"
    return started


def test_free_lock_loads_no_library(tmp_path: Path) -> None:
    code = "import sys; from lisa_py.host import files\nwith files.lock(sys.argv[1], timeout_ms=0): pass\n"
    show = "print('filelock' in sys.modules, 'psutil' in sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code + show, str(tmp_path / "lock")], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "False False\n"
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_lock_waits_for_another_process(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    path = str(tmp_path / "lock")
    assert files.is_locked(path)
    with pytest.raises(LisaError, match="for more than 50 ms") as refused, files.lock(path, timeout_ms=50, code="busy"):
        pass
    assert refused.value.code == "busy"
    timer = threading.Timer(0.2, holder.communicate, ["\n"])
    timer.start()
    with files.lock(path, timeout_ms=20_000) as waited_ms:
        assert waited_ms > 100
        assert files.is_locked(path)
    timer.join()
    assert not files.is_locked(path)


def test_shared_lock_is_held_by_several(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    assert not files.is_locked(path, shared=True)
    with files.shared_lock(path):
        with files.shared_lock(path):
            assert files.is_locked(path, shared=True)
            assert not files.is_locked(path)
        assert files.is_locked(path, shared=True)
    assert not files.is_locked(path, shared=True)


def test_lock_waits_through_removal_of_the_file(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    path = str(tmp_path / "lock")
    with files.lock(str(tmp_path / "other"), timeout_ms=0):
        waiting = threading.Thread(target=lambda: files.lock(path, timeout_ms=20_000).__enter__())
        waiting.start()
        os.unlink(path)
        holder.communicate("\n")
        waiting.join()
    assert os.path.exists(path)


def test_lock_of_a_removed_file_excludes_no_process(
    tmp_path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As filelock 3.13: it returns although its file was removed and another process has locked a new one."""
    path, newer, released = tmp_path / "lock", [], threading.Event()

    def release() -> None:
        released.set()
        os.close(newer[0])

    class OldFileLock(filelock.FileLock):  # type: ignore[misc, valid-type]
        def acquire(self, *args: Any, **options: Any) -> Any:
            found = super().acquire(*args, **options)
            if not newer:
                path.unlink()
                newer.append(files._try_lock(str(path)))
                threading.Timer(0.1, release).start()
            return found

    monkeypatch.setattr(filelock, "FileLock", OldFileLock)
    threading.Timer(0.05, lambda: holder.communicate("\n")).start()
    with files.lock(str(path), timeout_ms=20_000):
        assert newer and released.is_set() and files.is_locked(str(path))
    assert not files.is_locked(str(path))


def test_lock_refuses_a_symlink_and_a_missing_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for path in (tmp_path / "link", tmp_path / "none" / "lock"):
        with pytest.raises(LisaError) as refused, files.lock(str(path), timeout_ms=0):
            pass
        assert refused.value.code == "store_unwritable"
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("block", [1, 3, 8, 64])
def test_lines_are_read_backwards_whole(tmp_path: Path, block: int) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo two\n\nthree\ntorn")
    parts = list(files.read_lines_backwards(str(path), block))
    assert b"".join(lines for _, lines in reversed(parts)) == b"one\ntwo two\n\nthree\n"
    assert all(lines.endswith(b"\n") and path.read_bytes()[at:].startswith(lines) for at, lines in parts)


def test_reading_backwards_stops_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"line\n" * 100)
    parts = list(files.read_lines_backwards(str(path), 10, 30))
    assert 30 <= sum(len(lines) for _, lines in parts) < 100
    assert list(files.read_lines_backwards(str(tmp_path / "none"), 10)) == []


def test_umask_is_read_without_being_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("another thread could create files meanwhile"))
    assert files.read_umask() == int(subprocess.check_output(["/bin/sh", "-c", "umask"]), 8)


def test_line_start_at_or_after_an_offset(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo\nthree")
    found = [files.find_line_start(str(path), offset, 2) for offset in (0, 1, 3, 4, 5, 8, 9, 20)]
    assert found == [0, 4, 4, 4, 8, 8, 13, 13]
    assert files.find_line_start(str(tmp_path / "missing"), 5) == 0
