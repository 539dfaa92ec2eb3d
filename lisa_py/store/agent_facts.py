"""What lisa found out about installed agent binaries, so that they are asked once per installation."""

from __future__ import annotations

import os

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store.records import Unreadable, load, recover, save

MAX_AGE_SECONDS = 24 * 3600
"""A shim (mise, volta, asdf) does not change when what it starts does: ask again once a day."""
MOST = 40


class Known(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The answer of one binary, and which file gave it."""

    stamp: str
    """Changes when the file does."""
    probed_at: float
    version: str = ""
    flags: tuple[str, ...] = ()


class Book(Struct, kw_only=True):
    """`agent-facts.json`: resolved path of a binary -> what it answered."""

    version: int = 1
    binaries: dict[str, Known] = {}


def path(settings: Settings) -> str:
    return os.path.join(settings.state_dir, "agent-facts.json")


def stamp(binary: str) -> str:
    """What identifies the installed file; empty when there is none."""
    try:
        found = os.stat(binary)
    except OSError:
        return ""
    return f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}"


def recall(binary: str, settings: Settings, now: float) -> Known | None:
    """What is known of the binary as it is installed now; None when it must be asked. Never fails."""
    try:
        book = load(path(settings), Book)
    except Unreadable:
        return None
    known = book.binaries.get(os.path.realpath(binary)) if book else None
    if known is None or known.stamp != stamp(binary) or not 0 <= now - known.probed_at < MAX_AGE_SECONDS:
        return None
    return known


def remember(binary: str, known: Known, settings: Settings) -> None:
    """Keep an answer; a corrupt book is set aside, and one that cannot be written only costs the next probe."""
    book_path = path(settings)
    try:
        files.private_dir(settings.state_dir)
        with files.lock(book_path + ".lock", timeout_ms=settings.state_lock_timeout_ms):
            book, _ = recover(book_path, Book, known.probed_at)
            book = book or Book()
            kept = {**book.binaries, os.path.realpath(binary): known}
            newest = sorted(kept, key=lambda name: kept[name].probed_at)[-MOST:]
            save(book_path, Book(binaries={name: kept[name] for name in newest}))
    except LisaError:
        return
