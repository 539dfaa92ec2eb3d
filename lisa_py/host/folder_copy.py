"""Count, hash and copy whole folders, replacing the destination in one step."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from msgspec import Struct

from lisa_py.contract import digests
from lisa_py.contract.errors import LisaError
from lisa_py.host import files

STAGE = ".lisa-skill-stage-"
BACKUP = ".lisa-skill-backup-"


class Counts(Struct, frozen=True, kw_only=True):
    """Number of entries below a folder."""

    files: int = 0
    directories: int = 0
    symlinks: int = 0


class FolderEntry(Struct, frozen=True):
    """One entry below a folder: D, F or L, relative and absolute path."""

    kind: str
    relative_path: str
    path: str


def walk(folder: str) -> Iterator[FolderEntry]:
    """Yield the folder (as `.`) and all entries below, parents first, in byte order, without following links."""
    yield FolderEntry("D", ".", folder)
    yield from _walk_below(folder, "")


def _walk_below(folder: str, inside: str) -> Iterator[FolderEntry]:
    for name in sorted(os.listdir(folder), key=os.fsencode):
        path, here = os.path.join(folder, name), f"{inside}/{name}" if inside else name
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            yield FolderEntry("L", here, path)
        elif stat.S_ISDIR(mode):
            yield FolderEntry("D", here, path)
            yield from _walk_below(path, here)
        elif stat.S_ISREG(mode):
            yield FolderEntry("F", here, path)


def content_hash(folder: str) -> str:
    """Return 16 hex digits over names and contents, ignoring modes and times. Raise OSError."""
    digest = digests.sha256()
    for node in walk(os.path.realpath(folder)):
        digest.update(f"{node.kind}|{node.relative_path}".encode("utf-8", "surrogateescape"))
        if node.kind == "L":
            digest.update(b"|" + os.fsencode(os.readlink(node.path)))
        digest.update(b"\n")
        if node.kind == "F":
            digest.update((files.read(node.path) or b"") + b"\n")
    return digest.hexdigest()[:16]


def copy_folder(source: str, target: str) -> Counts:
    """Copy a folder to a path that does not exist, keeping modes and links. Raise OSError."""
    counts = {"F": 0, "D": 0, "L": 0}
    for node in walk(os.path.realpath(source)):
        target_path = target if node.relative_path == "." else os.path.join(target, *node.relative_path.split("/"))
        counts[node.kind] += node.relative_path != "."
        if node.kind == "D":
            os.mkdir(target_path)
        elif node.kind == "L":
            os.symlink(os.readlink(node.path), target_path)
        else:
            files.write(target_path, files.read(node.path) or b"", mode=stat.S_IMODE(os.stat(node.path).st_mode))
    return Counts(files=counts["F"], directories=counts["D"], symlinks=counts["L"])


def copy_new_file(source: str, target: str, relative_path: str) -> bool:
    """Copy a file below one folder to the same place below another; return False for a link or an existing file.

    No link is followed on either side below the two folders. Raise OSError; no partial copy stays.
    """
    names = relative_path.split("/")
    for folder in (source, target):
        for count in range(1, len(names)):
            if os.path.islink(os.path.join(folder, *names[:count])):
                return False
    path, new_path = os.path.join(source, *names), os.path.join(target, *names)
    if not stat.S_ISREG(os.lstat(path).st_mode) or os.path.lexists(new_path):
        return False
    os.makedirs(os.path.dirname(new_path), exist_ok=True)
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(handle, "rb") as reader:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        copy = os.open(new_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            with open(copy, "wb") as writer:
                while block := reader.read(1 << 20):
                    writer.write(block)
        except OSError:
            os.unlink(new_path)
            raise
    return True


def replace_folder(source: str, destination: str, now: float) -> Counts:
    """Replace a folder by a copy of another; readers see the old or the new one, complete.

    Repairs an interrupted earlier copy first. Raises OSError or LisaError; the old folder is then in place.
    """
    parent, name = os.path.split(destination)
    os.makedirs(parent, exist_ok=True)
    _recover_interrupted_copy(parent, name)
    stage = files.make_temporary_dir(os.path.join(parent, f"{STAGE}{name}-"))
    backup = os.path.join(parent, f"{BACKUP}{name}-{int(now * 1e9)}")
    try:
        counts = copy_folder(source, os.path.join(stage, "next"))
        had = os.path.lexists(destination)
        if had:
            os.rename(destination, backup)
        try:
            os.rename(os.path.join(stage, "next"), destination)
        except OSError:
            if had:
                os.rename(backup, destination)
            raise
    finally:
        files.remove_tree(stage)
    _discard(backup)
    return counts


def _recover_interrupted_copy(parent: str, name: str) -> None:
    """Restore the folder that an interrupted copy moved away, and remove its partial copy."""
    for entry in sorted(files.list_names(parent), reverse=True):
        path = os.path.join(parent, entry)
        if entry.startswith(f"{BACKUP}{name}-"):
            if os.path.lexists(os.path.join(parent, name)):
                _discard(path)
            else:
                os.rename(path, os.path.join(parent, name))
        elif entry.startswith(f"{STAGE}{name}-"):
            _discard(path)


def _discard(path: str) -> None:
    with contextlib.suppress(OSError, LisaError):
        if os.path.islink(path) or os.path.isfile(path):
            files.remove(path)
        else:
            files.remove_tree(path)
