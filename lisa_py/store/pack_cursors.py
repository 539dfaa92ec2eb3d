"""What `diff-pack` and `aggregate --delta-json` gave last."""

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
    """One session as an aggregate gave it."""

    session: str
    status: str = ""
    session_state: str = ""
    next_action: str = ""
    next_offset: int = 0
    pack: str = ""
    digest: str = ""
    """Of all there was to give, before it was cut."""


class AggregateSnapshot(Struct, frozen=True, kw_only=True, rename="camel"):
    """The cursor file of an aggregate."""

    updated_at: str = ""
    items: dict[str, AggregateEntry] = {}


def default_pack_path(ref: SessionRef) -> str:
    """In the session's folder, so that it goes with the session. Raises LisaError(store_unwritable)."""
    session_folder.check_not_symlink(ref)
    return ref.file("diff-pack.txt")


def default_snapshot_path(project: Project, view: str) -> str:
    """One file for all sessions, and one for each selection of them (`view` is its words)."""
    name = f"aggregate-{crc32(view.encode()):08x}.json" if view else "aggregate.json"
    return os.path.join(project.folder, "cursors", name)


def read_pack(path: str) -> str:
    """The pack, empty when there is none. Raises UsageError(invalid_cursor_file) for what another command wrote."""
    text = _read(path).decode("utf-8", "replace")
    word = text.strip()
    if word.isdigit() or (word.startswith("{") and _is_json(word)):
        raise cursors.unusable_cursor_error(ValueError(f"{path} is the cursor of another command"))
    return text


def stage_pack(path: str, pack: str) -> StagedFile:
    """Raises LisaError(cursor_file_write_failed)."""
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
