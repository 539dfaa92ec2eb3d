"""Last answers of `diff-pack` and `aggregate --delta-json`."""

from __future__ import annotations

import os
from zlib import crc32

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.host import files
from lisa_py.host.files import StagedFile
from lisa_py.store import cursors, session_folder
from lisa_py.store.paths import Project, SessionRef
from lisa_py.store.record import StoreRecord

_MAX_BYTES = 8 << 20


class AggregateEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    """One session of an aggregate."""

    session: str
    status: str = ""
    session_state: str = ""
    next_action: str = ""
    next_offset: int = 0
    pack: str = ""
    digest: str = ""
    """Digest of the whole pack, before it was cut."""


class AggregateSnapshot(Struct, frozen=True, kw_only=True, rename="camel"):
    """The cursor file of an aggregate."""

    updated_at: str = ""
    items: dict[str, AggregateEntry] = {}


def default_pack_path(ref: SessionRef) -> str:
    """Return a path in the session's folder, removed with the session. Raise LisaError(store_unwritable)."""
    session_folder.check_not_symlink(ref)
    return ref.file("diff-pack.txt")


def default_snapshot_path(project: Project, view: str) -> str:
    """Return the file of a selection of sessions; an empty `view` is all sessions."""
    name = f"aggregate-{crc32(view.encode()):08x}.json" if view else "aggregate.json"
    return os.path.join(project.folder, "cursors", name)


def read_pack(path: str) -> str:
    """Return the pack, empty if there is none. Raise UsageError(invalid_cursor_file) for a file of another command."""
    text = _read(path).decode("utf-8", "replace")
    word = text.strip()
    if word.isdigit() or (word.startswith("{") and _is_json(word)):
        raise cursors.unusable_cursor_error(ValueError(f"{path} is the cursor of another command"))
    return text


def stage_pack(path: str, pack: str) -> StagedFile:
    """Prepare the write. Raise LisaError(cursor_file_write_failed)."""
    return cursors.stage_raw(path, pack.encode("utf-8", "replace"), "cursor_file_write_failed")


def _read(path: str) -> bytes:
    try:
        return files.read(path, limit=_MAX_BYTES) or b""
    except OSError as problem:
        raise cursors.unusable_cursor_error(problem) from problem


def _is_json(word: str) -> bool:
    try:
        return isinstance(jsontext.decode(word), dict)
    except msgspec.DecodeError:
        return False


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
