"""Typed JSON files: read with corruption set aside, written whole."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from lisa_py.host import files

T = TypeVar("T")


class Unreadable(Exception):
    """A record is there but cannot be read; the text says why."""


def load(path: str, kind: type[T]) -> T | None:
    """The record, or None when there is none. Raises Unreadable; changes nothing on disk."""
    try:
        raw = files.read(path)
    except OSError as problem:
        raise Unreadable(f"{path}: {problem.strerror}") from problem
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as problem:
        raise Unreadable(f"{path}: {problem}") from problem


def recover(path: str, kind: type[T], now: float) -> tuple[T | None, str]:
    """As load, but a corrupt file is moved aside; the second value names where it went, empty when all is well.

    For writers only: reading leaves no trace.
    """
    try:
        return load(path, kind), ""
    except Unreadable:
        return None, files.set_aside(path, now)


def save(path: str, record: object) -> None:
    """Write the record as indented JSON, whole or not at all. Raises LisaError(store_unwritable)."""
    raw = msgspec.json.encode(record)
    files.write(path, msgspec.json.format(raw, indent=2) + b"\n")
