"""Read and write typed JSON files; set corrupt ones aside."""

from __future__ import annotations

import errno
from typing import TypeVar

import msgspec

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.host import files

T = TypeVar("T")


_PERMANENT_ERRORS = frozenset((errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.ENXIO, errno.EACCES, errno.EPERM))
"""Errors of paths that are not files of lisa; any other error may be temporary."""


class UnreadableRecord(Exception):
    """A record exists but cannot be read; the message is the reason."""

    def __init__(self, why: str, *, transient: bool = False) -> None:
        super().__init__(why)
        self.transient = transient
        """A temporary failure (too many open files, an I/O error); the record may be intact."""


def load(path: str, kind: type[T]) -> T | None:
    """Return the record, or None if there is none. Raise UnreadableRecord; change nothing on disk."""
    try:
        raw = files.read(path)
    except OSError as problem:
        raise UnreadableRecord(
            f"{path}: {problem.strerror}", transient=problem.errno not in _PERMANENT_ERRORS
        ) from problem
    if raw is None:
        return None
    try:
        return jsontext.decode(raw, kind)
    except msgspec.DecodeError as problem:
        raise UnreadableRecord(f"{path}: {problem}") from problem


def load_readable(path: str, kind: type[T]) -> T | None:
    """Return the record; None if it is missing or unreadable."""
    try:
        return load(path, kind)
    except UnreadableRecord:
        return None


def recover(path: str, kind: type[T], now: float) -> tuple[T | None, str]:
    """Return the record, and the path that a corrupt file was moved to, else an empty string.

    For writers only: readers change nothing. Raises LisaError(store_unwritable) on a temporary failure.
    """
    try:
        return load(path, kind), ""
    except UnreadableRecord as problem:
        if problem.transient:
            raise LisaError("store_unwritable", f"cannot read {problem}; nothing was changed") from problem
        return None, files.set_aside(path, now)


def save(path: str, record: object) -> None:
    """Write the record atomically as indented JSON.

    Raise LisaError(store_unwritable), also for one that could not be read again: too large, or with a value that its
    type does not allow. Such a file would be set aside with all that it held.
    """
    try:
        raw = msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
    except UnicodeEncodeError as problem:
        raise LisaError(
            "store_unwritable", f"cannot write {path}: a text is not UTF-8; nothing was changed"
        ) from problem
    if len(raw) > files.READ_BYTES:
        raise LisaError("store_unwritable", f"cannot write {path}: it would have over {files.READ_BYTES} bytes")
    try:
        jsontext.decode(raw, type(record))
    except msgspec.DecodeError as problem:
        raise LisaError("store_unwritable", f"cannot write {path}: {problem}; nothing was changed") from problem
    files.write(path, raw)
