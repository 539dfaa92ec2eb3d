"""Private folders, atomic writes, bounded reads and locks; symlinks and foreign owners are refused."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator

from lisa_py.contract.errors import CancellationError, LisaError
from lisa_py.host import limits
from lisa_py.host.cancellation import Cancellation

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600
READ_BYTES = 64 << 20
"""Of a file, where its reader has no limit of its own."""
_LINES_BLOCK = 1 << 20
LOCK_CHECK_SECONDS = 0.2
"""Interval at which a process that waits for a lock looks whether it is cancelled."""


def ensure_private_dir(path: str) -> str:
    """Create the folder and its missing parents with mode 0700.

    Raises LisaError(store_unwritable) if it is not a folder of this user or cannot be created.
    """
    try:
        _make_private_dir(path)
        found = os.lstat(path)
    except OSError as problem:
        raise unwritable_error(path, problem) from problem
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise LisaError("store_unwritable", f"{path} is not a folder of this user; move it away")
    if found.st_mode & 0o077:
        os.chmod(path, PRIVATE_DIR)
    return path


def make_temporary_dir(prefix: str) -> str:
    """Create a private folder whose path begins with the prefix. Raise LisaError(store_unwritable)."""
    path = prefix + os.urandom(4).hex()
    try:
        os.mkdir(path, PRIVATE_DIR)
    except OSError as problem:
        raise unwritable_error(path, problem) from problem
    return path


def make_dirs(path: str) -> None:
    """Create a folder named by the user, with the user's umask. Raise OSError."""
    os.makedirs(path, exist_ok=True)


def move(source: str, target: str) -> None:
    """Rename within one file system. Raise OSError."""
    os.replace(source, target)


def _make_private_dir(path: str) -> None:
    """Create a folder; os.makedirs would apply the umask to the parents."""
    with contextlib.suppress(FileExistsError):
        try:
            os.mkdir(path, PRIVATE_DIR)
        except FileNotFoundError:
            parent = os.path.dirname(path)
            if parent in ("", path):
                raise
            _make_private_dir(parent)
            os.mkdir(path, PRIVATE_DIR)


def unwritable_error(path: str, problem: OSError) -> LisaError:
    refused = LisaError("store_unwritable", f"cannot write {path}: {problem.strerror or problem}")
    return limits.find_shortage(problem) or refused


def is_unusable_disk(problem: LisaError) -> bool:
    """Return True if a write failed because the disk is full or read-only."""
    cause = problem.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class StagedFile:
    """New content of a file, written beside it until `commit`."""

    def __init__(self, path: str, temporary: str) -> None:
        self.path = path
        self.temporary = temporary

    def commit(self) -> None:
        """Replace the file. Raise LisaError(store_unwritable)."""
        try:
            os.replace(self.temporary, self.path)
        except OSError as problem:
            self.discard()
            raise unwritable_error(self.path, problem) from problem

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.temporary)


def write(path: str, data: bytes | str, *, mode: int = PRIVATE_FILE) -> None:
    """Replace the file atomically: a reader sees the old or the new content.

    Raises LisaError(store_unwritable).
    """
    stage(path, data, mode=mode).commit()


def stage(path: str, data: bytes | str, *, mode: int = PRIVATE_FILE) -> StagedFile:
    """Write the content beside the file. Raise LisaError(store_unwritable)."""
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            _write_all(handle, raw)
        finally:
            os.close(handle)
    except OSError as problem:
        StagedFile(path, temporary).discard()
        raise unwritable_error(path, problem) from problem
    return StagedFile(path, temporary)


def create(path: str, data: bytes | str, *, mode: int = PRIVATE_FILE) -> bool:
    """Create the file with its whole content; return False if there is one. Raise LisaError(store_unwritable).

    Of several processes that try at once exactly one succeeds.
    """
    staged = stage(path, data, mode=mode)
    try:
        os.link(staged.temporary, path, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as problem:
        raise unwritable_error(path, problem) from problem
    finally:
        staged.discard()
    return True


def write_to_pipe(path: str, word: str) -> bool:
    """Write a word into a named pipe; return False if no process has it open. An empty word only asks that."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not stat.S_ISFIFO(os.fstat(handle).st_mode):
            return False
        if word:
            os.write(handle, word.encode() + b"\n")
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def append(path: str, line: bytes) -> None:
    """Append a line in one write; create the file with mode 0600, do not follow a symlink.

    A line that a full disk or a killed writer left unfinished is terminated first.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            _write_all(handle, b"\n" + line if _has_unfinished_line(handle) else line)
        finally:
            os.close(handle)
    except OSError as problem:
        raise unwritable_error(path, problem) from problem


def append_bytes(path: str, data: bytes) -> None:
    """Append to a file; create it with mode 0600. Raise LisaError(store_unwritable)."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            _write_all(handle, data)
        finally:
            os.close(handle)
    except OSError as problem:
        raise unwritable_error(path, problem) from problem


def _has_unfinished_line(handle: int) -> bool:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        return False
    return os.pread(handle, 1, found.st_size - 1) != b"\n"


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def read(path: str, *, limit: int = READ_BYTES) -> bytes | None:
    """Return the content (at most `limit` bytes), or None if the file does not exist.

    Raises OSError otherwise, also for a symlink (ELOOP) or a folder.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as problem:
        limits.refuse_shortage(problem)
        raise
    try:
        return _read_up_to(handle, limit)
    finally:
        os.close(handle)


def read_user_file(path: str, limit: int) -> bytes:
    """Return at most `limit` bytes of a file or pipe named by the user; follow symlinks. Raise OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _read_up_to(handle, limit)
    finally:
        os.close(handle)


def _read_up_to(handle: int, limit: int) -> bytes:
    parts = []
    while limit > 0:
        part = os.read(handle, min(limit, 1 << 20))
        if not part:
            break
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def read_lines(path: str) -> Iterator[bytes]:
    """Yield the whole lines of a file that are not empty, a block at a time; a last one without an end is left out.

    A line longer than a block, and what follows it, is left out.
    """
    offset = 0
    while raw := read_from(path, offset, _LINES_BLOCK):
        end = raw.rfind(b"\n") + 1
        if not end:
            return
        offset += end
        yield from filter(None, raw[:end].split(b"\n"))


def read_from(path: str, offset: int, limit: int) -> bytes:
    """Return at most `limit` bytes from a byte offset; empty if the file is missing or shorter."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as problem:
        limits.refuse_shortage(problem)
        return b""
    try:
        os.lseek(handle, offset, os.SEEK_SET)
        return _read_up_to(handle, limit)
    except OSError:
        return b""
    finally:
        os.close(handle)


def size(path: str) -> int:
    """Return the size in bytes; -1 if the file does not exist."""
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def read_lines_backwards(path: str, block: int, limit: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield parts of whole lines with their byte offsets, from the newest part to the oldest.

    The first part has about `block` bytes, each further one four times as many; `limit` bounds the sum. A last line
    that is still being written is left out.
    """
    total = end = max(0, size(path))
    head, complete = b"", False  # the beginning of a torn first line is in the part before it
    while end > 0 and (limit is None or total - end < limit):
        start = max(0, end - block)
        raw = read_from(path, start, end - start) + head
        end, block = start, block * 4
        if not complete:
            raw = raw[: raw.rfind(b"\n") + 1]
            complete = bool(raw)
        cut = raw.find(b"\n") + 1 if start else 0
        head = raw[:cut]
        if raw[cut:]:
            yield start + cut, raw[cut:]


def find_line_start(path: str, offset: int, block: int = 1 << 16) -> int:
    """Return the offset of the first line that begins at a byte offset or behind it; the size if there is none."""
    if offset <= 0:
        return 0
    at = offset - 1
    while raw := read_from(path, at, block):
        found = raw.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(raw)
    return min(at, max(0, size(path)))


def modified_at(path: str) -> float:
    """Return Unix seconds of the last change; 0 if the file does not exist."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def permissions(path: str, default: int = PRIVATE_FILE) -> int:
    """Return the mode bits of a file; the default if it does not exist."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return default


def describe_foreign_access(path: str) -> str:
    """Return who else can write to a file; empty if no other user can, and for no file. Raise OSError."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return ""
    if found.st_uid not in (0, os.geteuid()):
        return f"it belongs to another user ({found.st_uid})"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"other users may write to it (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def exists(path: str) -> bool:
    return os.path.lexists(path)


def is_own_file(path: str) -> bool:
    """Return True if the path is a plain file of this user: no symlink, no file of another user in a shared folder."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid()


def is_dir(path: str) -> bool:
    return os.path.isdir(path)


def is_empty_folder(path: str) -> bool:
    """Return True for a folder without entries; False for a link, and for a folder that cannot be read."""
    try:
        return not os.path.islink(path) and not os.listdir(path)
    except OSError:
        return False


def is_file(path: str) -> bool:
    return os.path.isfile(path)


def is_writable(folder: str) -> bool:
    """Return True if a file can be created in the folder, or the folder itself if it is missing."""
    while not os.path.lexists(folder):
        parent = os.path.dirname(folder)
        if parent == folder:
            return False
        folder = parent
    return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)


def canonical_path(path: str) -> str:
    """Return the absolute path, symlinks resolved and `~` expanded; missing parts are kept.

    Raises LisaError(invalid_project_root) if the current folder is needed and does not exist any more.
    """
    try:
        return os.path.realpath(os.path.expanduser(path.strip() or os.getcwd()))
    except FileNotFoundError:
        raise LisaError(
            "invalid_project_root", "the current folder was removed; go to another one or give --project-root"
        ) from None


def absolute_path(path: str) -> str:
    """Return the absolute path, `~` expanded and symlinks kept, for files named by the user."""
    return os.path.abspath(os.path.expanduser(path))


def list_names(folder: str) -> list[str]:
    """Return the sorted entries; empty if the folder does not exist."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def remove(path: str) -> bool:
    """Unlink a file or symlink; return False if it did not exist."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def remove_tree(folder: str) -> None:
    """Remove a folder of lisa's; symlinks inside are unlinked, never followed."""
    import shutil  # noqa: PLC0415 - 1.5 ms that no read needs

    shutil.rmtree(folder, ignore_errors=True)


def read_umask() -> int:
    """Return the umask of this process without changing it: os.umask would, for every thread."""
    try:
        with open("/proc/self/status", "rb") as status:
            found = next((line for line in status if line.startswith(b"Umask:")), b"")
    except OSError:
        found = b""
    if not found:  # macOS, Linux before 4.7
        from lisa_py.host.run import run_program  # noqa: PLC0415 - only where /proc does not show it

        found = b"Umask:" + run_program(["/bin/sh", "-c", "umask"], timeout=5).text.encode()
    return int(found.split(b":")[1], 8)


def set_aside(path: str, now: float) -> str:
    """Move an unreadable file aside for inspection and return its new path."""
    first = target = f"{path}.corrupt-{int(now)}"
    number = 1
    while os.path.lexists(target):  # an earlier one is kept as well
        number += 1
        target = f"{first}-{number}"
    with contextlib.suppress(OSError):
        os.replace(path, target)
    return target


@contextlib.contextmanager
def lock(
    path: str, *, timeout_ms: int, code: str = "state_lock_timeout", cancellation: Cancellation | None = None
) -> Iterator[float]:
    """Hold an exclusive lock on a file (made when missing) and yield the milliseconds of the wait.

    A free lock costs one system call; filelock, 60 ms to load, waits for one that is held.
    Raises LisaError(code) on timeout, CancellationError soon after the cancellation. The lock ends with the process.
    """
    began = time.monotonic()
    try:
        handle = _try_lock(path)
    except OSError as problem:
        raise unwritable_error(path, problem) from problem
    if handle is None:
        with _wait_for_lock(path, timeout_ms, code, cancellation):
            yield (time.monotonic() - began) * 1000
        return
    try:
        yield (time.monotonic() - began) * 1000
    finally:
        os.close(handle)


def _try_lock(path: str) -> int | None:
    """Return the descriptor of the locked file, or None if another process holds the lock."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_nlink:
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its last holder removed the file: a lock on it excludes no later process


@contextlib.contextmanager
def _wait_for_lock(path: str, timeout_ms: int, code: str, cancellation: Cancellation | None) -> Iterator[None]:
    """Hold the lock once its holder has released it.

    filelock only waits: some versions (3.13, 3.20) do not notice that the holder has removed the file, after which
    another process can lock a new one.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - 60 ms that a free lock does without

    waiter = FileLock(path, mode=PRIVATE_FILE)
    deadline = time.monotonic() + timeout_ms / 1000
    handle: int | None = None
    while handle is None:
        left = deadline - time.monotonic()
        try:
            with waiter.acquire(timeout=max(0.0, min(left, LOCK_CHECK_SECONDS)), poll_interval=0.005):
                pass
            handle = _try_lock(path)
        except Timeout:
            pass
        except OSError as problem:
            raise unwritable_error(path, problem) from problem
        if handle is None and cancellation is not None and cancellation.is_set:
            raise CancellationError
        if handle is None and time.monotonic() >= deadline:
            text = f"another process holds the lock for more than {timeout_ms} ms; try again"
            raise LisaError(code, text) from None
    try:
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def shared_lock(path: str) -> Iterator[None]:
    """Hold a lock on a file (made when missing) that many may share; it ends with the process.

    Raise LisaError(store_unwritable).
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    except OSError as problem:
        raise unwritable_error(path, problem) from problem
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def is_locked(path: str, *, shared: bool = False) -> bool:
    """Return True if another process holds the lock; `shared`: also one that many share.

    Create nothing and block no process.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if shared else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


@contextlib.contextmanager
def folder_lock(path: str, *, timeout_ms: int, stale_seconds: float) -> Iterator[bool]:
    """Hold a lock that other programs take by creating a folder; yield False at the timeout.

    A folder that has not been touched for `stale_seconds` is abandoned and taken over.
    """
    held = _acquire_folder_lock(path, time.monotonic() + timeout_ms / 1000, stale_seconds)
    try:
        yield held
    finally:
        if held:
            with contextlib.suppress(OSError):
                os.rmdir(path)


def _acquire_folder_lock(path: str, deadline: float, stale_seconds: float) -> bool:
    while True:
        try:
            os.mkdir(path)
        except FileExistsError:
            if time.time() - (modified_at(path) or time.time()) > stale_seconds:
                with contextlib.suppress(OSError):
                    os.rmdir(path)
        except OSError:
            return False
        else:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
