"""Cached facts about installed agent binaries, probed once per installation."""

from __future__ import annotations

import os

from msgspec import Struct, structs

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store.json_records import load_readable, recover, save
from lisa_py.store.record import StoreRecord

MAX_AGE_SECONDS = 24 * 3600
"""A shim (mise, volta, asdf) does not change with its target, so binaries are probed again daily."""
MAX_BINARIES = 40
MAX_SHAPES = 60


class BinaryFacts(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Facts about one binary."""

    stamp: str
    """Identifies the installed file."""
    probed_at: float
    version: str = ""
    flags: tuple[str, ...] = ()
    unanswered: dict[str, str] = {}
    shapes: tuple[str, ...] = ()
    """Kinds of starts that did not end at once, the newest last."""


class BinaryFactsFile(Struct, kw_only=True):
    """`agent-facts.json`: facts by resolved path of the binary."""

    version: int = 1
    binaries: dict[str, BinaryFacts] = {}


def path(settings: Settings) -> str:
    return os.path.join(settings.state_dir, "agent-facts.json")


def stamp(binary: str) -> str:
    """Return the identity of the installed file; empty if there is none."""
    try:
        found = os.stat(binary)
    except OSError:
        return ""
    return f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}"


def load_facts(binary: str, settings: Settings, now: float) -> BinaryFacts | None:
    """Return the facts of the installed binary, or None if it must be probed. Never raises."""
    book = load_readable(path(settings), BinaryFactsFile)
    known = book.binaries.get(os.path.realpath(binary)) if book else None
    if known is None or known.stamp != stamp(binary) or not 0 <= now - known.probed_at < MAX_AGE_SECONDS:
        return None
    return known


def save_facts(binary: str, facts: BinaryFacts, settings: Settings) -> None:
    """Store facts; a corrupt file is set aside, a failed write costs another probe."""
    facts_path = path(settings)
    try:
        files.ensure_private_dir(settings.state_dir)
        with files.lock(facts_path + ".lock", timeout_ms=settings.state_lock_timeout_ms):
            book, _ = recover(facts_path, BinaryFactsFile, facts.probed_at)
            book = book or BinaryFactsFile()
            kept = {**book.binaries, os.path.realpath(binary): facts}
            newest = sorted(kept, key=lambda name: kept[name].probed_at)[-MAX_BINARIES:]
            save(facts_path, BinaryFactsFile(binaries={name: kept[name] for name in newest}))
    except LisaError:
        return


def add_shape(binary: str, shape: str, settings: Settings, now: float) -> None:
    """Store that a start of this shape did not end at once; without facts about the binary nothing is stored."""
    known = load_facts(binary, settings, now)
    if known is not None and shape not in known.shapes:
        shapes = (*known.shapes, shape)[-MAX_SHAPES:]
        save_facts(binary, structs.replace(known, shapes=shapes), settings)


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
