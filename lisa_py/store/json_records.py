"""Typed JSON files: read with corruption set aside, written whole."""

from __future__ import annotations

import errno
from typing import TypeVar

import msgspec

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.host import files

T = TypeVar("T")


_PERMANENT_ERRORS = frozenset((errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.ENXIO, errno.EACCES, errno.EPERM))
"""Failures that say that this is no file of lisa's; any other may be over in a moment."""


class UnreadableRecord(Exception):
    """A record is there but cannot be read; the text says why."""

    def __init__(self, why: str, *, transient: bool = False) -> None:
        super().__init__(why)
        self.transient = transient
        """The machine could not read it just now (too many open files, an I/O error); the record may be sound."""


def load(path: str, kind: type[T]) -> T | None:
    """The record, or None when there is none. Raises Unreadable; changes nothing on disk."""
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


def recover(path: str, kind: type[T], now: float) -> tuple[T | None, str]:
    """As load, but a corrupt file is moved aside; the second value names where it went, empty when all is well.

    For writers only: reading leaves no trace. Raises LisaError(store_unwritable) when it could not be read just now.
    """
    try:
        return load(path, kind), ""
    except UnreadableRecord as problem:
        if problem.transient:
            raise LisaError("store_unwritable", f"cannot read {problem}; nothing was changed") from problem
        return None, files.set_aside(path, now)


def save(path: str, record: object) -> None:
    """Write the record as indented JSON, whole or not at all. Raises LisaError(store_unwritable)."""
    raw = msgspec.json.encode(record)
    files.write(path, msgspec.json.format(raw, indent=2) + b"\n")
