"""Receive a file into a folder piece by piece; it appears whole, and never replaces another."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from lisa_py.host import files

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FileReceiver:
    """A file that is being received, next to its place."""

    def __init__(self, folder: int) -> None:
        self._folder = folder
        self._temporary = f".upload-{os.urandom(8).hex()}"
        self._handle = os.open(self._temporary, _FILE, files.PRIVATE_FILE, dir_fd=folder)
        self.size = 0

    def write(self, data: bytes) -> None:
        """Add bytes. Raise OSError."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._handle, rest) :]
        self.size += len(data)

    def publish(self, name: str) -> str:
        """Give the file its name, or the first free one like it; return the name. Raise OSError."""
        for number in range(1000):
            wanted = number_name(name, number)
            with contextlib.suppress(FileExistsError):
                os.link(
                    self._temporary, wanted, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False
                )
                return wanted
        raise FileExistsError(f"all names like {name} are taken")

    def close(self) -> None:
        os.close(self._handle)
        with contextlib.suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._folder)


def number_name(name: str, number: int) -> str:
    """Return `data-1.csv` for the first alternative of `data.csv`."""
    stem, suffix = os.path.splitext(name)
    return f"{stem}-{number}{suffix}" if number else name


@contextlib.contextmanager
def open_upload(folder: str) -> Iterator[FileReceiver]:
    """Yield a new file of a folder, which is made if it is missing and may be no symlink.

    Raise LisaError(store_unwritable).
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, files.PRIVATE_DIR)
        handle = os.open(folder, _FOLDER)
        try:
            received = FileReceiver(handle)
            try:
                yield received
            finally:
                received.close()
        finally:
            os.close(handle)
    except OSError as problem:
        raise files.unwritable_error(folder, problem) from problem
