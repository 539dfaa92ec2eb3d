"""What `diff-pack` and `aggregate --delta-json` gave last."""

from __future__ import annotations

import os
from zlib import crc32

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.contract.errors import UsageError
from lisa_py.host import files
from lisa_py.host.clock import rfc3339
from lisa_py.host.files import Staged
from lisa_py.store import cursors, folder
from lisa_py.store.places import Place, Project

_MOST = 8 << 20


class Known(Struct, frozen=True, kw_only=True, rename="camel"):
    """One session as an aggregate gave it."""

    session: str
    status: str = ""
    session_state: str = ""
    next_action: str = ""
    next_offset: int = 0
    pack: str = ""
    digest: str = ""
    """Of all there was to give, before it was cut."""


class Snapshot(Struct, frozen=True, kw_only=True, rename="camel"):
    """The cursor file of an aggregate."""

    updated_at: str = ""
    items: dict[str, Known] = {}


def default_pack(place: Place) -> str:
    """In the session's folder, so that it goes with the session. Raises LisaError(store_unwritable)."""
    folder.must_be_ours(place)
    return place.file("diff-pack.txt")


def default_snapshot(project: Project, view: str) -> str:
    """One file for all sessions, and one for each selection of them (`view` is its words)."""
    name = f"aggregate-{crc32(view.encode()):08x}.json" if view else "aggregate.json"
    return os.path.join(project.folder, "cursors", name)


def read_pack(path: str) -> str:
    """The pack, empty when there is none. Raises UsageError(invalid_cursor_file) for what another command wrote."""
    text = _read(path).decode("utf-8", "replace")
    word = text.strip()
    if word.isdigit() or (word.startswith("{") and _is_json(word)):
        raise _invalid(f"{path} is the cursor of another command")
    return text


def stage_pack(path: str, pack: str) -> Staged:
    """Raises LisaError(cursor_file_write_failed)."""
    return cursors.stage_raw(path, pack.encode("utf-8", "replace"), "cursor_file_write_failed")


def read_snapshot(path: str) -> Snapshot:
    """What was given last, nothing when the file is missing or blank. Raises UsageError(invalid_cursor_file)."""
    raw = _read(path)
    if not raw.strip():
        return Snapshot()
    try:
        found = jsontext.decode(raw)
        if not isinstance(found, dict) or not isinstance(found.get("items"), dict):
            raise _invalid(f"{path} is the cursor of another command")
        return msgspec.convert(found, Snapshot)
    except msgspec.DecodeError as problem:
        raise _invalid(str(problem)) from problem


def stage_snapshot(path: str, items: dict[str, Known], now: float) -> Staged:
    """Raises LisaError(cursor_file_write_failed)."""
    raw = msgspec.json.encode(Snapshot(updated_at=rfc3339(now), items=items))
    return cursors.stage_raw(path, msgspec.json.format(raw, indent=2), "cursor_file_write_failed")


def _read(path: str) -> bytes:
    try:
        return files.read(path, limit=_MOST) or b""
    except OSError as problem:
        raise _invalid(f"read {path}: {(problem.strerror or 'cannot be read').lower()}") from problem


def _is_json(word: str) -> bool:
    try:
        return isinstance(jsontext.decode(word), dict)
    except msgspec.DecodeError:
        return False


def _invalid(why: str) -> UsageError:
    return UsageError(
        "invalid_cursor_file",
        f"invalid --cursor-file: {why} (--cursor-reset sets the file aside and starts anew)",
    )
