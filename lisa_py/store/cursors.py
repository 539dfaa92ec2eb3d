"""Cursor files: the position of a reader, one section per kind of stream, so that commands can share a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError, UsageError
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.files import StagedFile
from lisa_py.store.record import StoreRecord

T = TypeVar("T")


class Anchor(Struct, frozen=True, array_like=True):
    """Digest of one settled line of a pane, to find the line again."""

    digest: str
    size: int


class PaneCursor(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    offset: int = 0
    """Bytes of output seen since the session began."""
    run_id: str = ""
    line: int = 0
    """Number of settled lines seen since the session began."""
    anchors: tuple[Anchor, ...] = ()
    """The last settled lines, oldest first; the newest may still grow."""
    rows: int = 0
    """Number of settled lines in the pane."""
    top: tuple[Anchor, ...] = ()
    """First lines of the pane, if no line above them can have been trimmed."""


class EventCursor(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    offset: int = 0
    """Sequence number of the last event seen."""


class TranscriptCursor(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    offset: int = 0
    """Byte offset after the last record."""
    path: str = ""
    record: str = ""
    """Digest of the end of that record, to detect a rewritten transcript."""


class CursorFile(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Content of one cursor file."""

    kind: str = ""
    """Section written last; its offset is repeated at the top for readers that know integers only."""
    offset: int = 0
    updated_at: str = ""
    pane: PaneCursor | None = None
    events: EventCursor | None = None
    transcript: TranscriptCursor | None = None
    fields: dict[str, Any] | None = None
    """Flattened payload of the last `packet --delta-json`."""

    def legacy_offset(self, kind: str) -> int:
        """Return the offset of a file with a bare integer or of this kind, else 0."""
        return self.offset if self.kind in ("", kind) else 0


def resolve_path(path: str) -> str:
    """Return the absolute path of a cursor file named by the user. Raise UsageError(invalid_cursor_file)."""
    if "\0" in path:
        raise _invalid(f"{path!r} is no path")
    return files.absolute_path(path.strip())


def read(path: str) -> CursorFile:
    """Return the cursor, an empty one if the file is missing or blank.

    Raises UsageError(invalid_cursor_file); the file is left as it is.
    """
    try:
        raw = files.read(path, limit=8 << 20)
    except OSError as problem:
        raise _invalid(f"read {path}: {(problem.strerror or 'cannot be read').lower()}") from problem
    text = (raw or b"").strip()
    if not text:
        return CursorFile()
    if not text.startswith(b"{"):
        return CursorFile(offset=_parse_integer(text.decode("utf-8", "replace")))
    try:
        found = jsontext.decode(text, dict[str, Any])
        found["offset"] = _parse_integer(str(found.get("offset", 0)))
        return msgspec.convert(found, CursorFile)
    except msgspec.DecodeError as problem:
        raise _invalid(str(problem)) from problem


def _parse_integer(text: str) -> int:
    try:
        return max(0, int(text))
    except ValueError:
        raise _invalid(f'invalid cursor file offset: "{text[:80]}"') from None


def _invalid(why: str) -> UsageError:
    return UsageError(
        "invalid_cursor_file",
        f"invalid --cursor-file: {why} (--cursor-reset sets the file aside and starts again)",
    )


def read_or_reset(path: str, reset: bool, now: float) -> tuple[CursorFile, bool]:
    """Return the cursor, and True if it was unreadable and moved aside because of `reset`."""
    found = read_or_set_aside(read, path, reset, now)
    return found or CursorFile(), found is None


def read_or_set_aside(reader: Callable[[str], T], path: str, reset: bool, now: float) -> T | None:
    """Return the result of the reader; with `reset`, move a file that it refuses aside and return None.

    Raises the error of the reader.
    """
    try:
        return reader(path)
    except LisaError:
        if not reset or files.is_dir(path):
            raise
        files.set_aside(path, now)
        return None


def unusable_cursor_error(problem: Exception) -> UsageError:
    """Return the error of a cursor file that exists and cannot be used."""
    why = (problem.strerror or "cannot be read").lower() if isinstance(problem, OSError) else str(problem)
    return _invalid(why)


def write(path: str, cursor: CursorFile, kind: str, offset: int, now: float) -> None:
    """Replace the file, mode 0600; create its folder. Raise LisaError(cursor_file_write_failed)."""
    stage(path, cursor, kind, offset, now).commit()


def stage(path: str, cursor: CursorFile, kind: str, offset: int, now: float) -> StagedFile:
    """Prepare the write, to be committed after the output has been delivered."""
    ready = msgspec.structs.replace(cursor, kind=kind, offset=offset, updated_at=format_rfc3339(now))
    return stage_raw(path, msgspec.json.encode(ready) + b"\n", "cursor_file_write_failed")


def save(path: str, raw: bytes, code: str) -> None:
    """Write the file. Raise LisaError(code)."""
    stage_raw(path, raw, code).commit()


def stage_raw(path: str, raw: bytes, code: str) -> StagedFile:
    """Prepare the write of a file; create its folder. Raise LisaError(code)."""
    try:
        folder = os.path.dirname(path)
        if not files.is_dir(folder):
            files.ensure_private_dir(folder)
        return files.stage(path, raw)
    except LisaError as problem:
        raise LisaError(code, problem.message) from problem


class SemanticCursor(Struct, frozen=True, kw_only=True, rename="camel"):
    """`<cursor file>.semantic.json`: the meaningful lines that a reader has seen."""

    lines: tuple[str, ...] = ()
    updated_at: str = ""


def semantic_path(path: str) -> str:
    return path + ".semantic.json"


def read_semantic(path: str) -> SemanticCursor:
    """Return the lines. Raise LisaError(semantic_cursor_read_failed)."""
    try:
        raw = (files.read(path) or b"").strip()
        return jsontext.decode(raw, SemanticCursor) if raw else SemanticCursor()
    except (OSError, msgspec.DecodeError) as problem:
        raise LisaError(
            "semantic_cursor_read_failed", f"cannot read {path}: {problem} (remove it to start again)"
        ) from problem


def stage_semantic(path: str, lines: tuple[str, ...], now: float) -> StagedFile:
    """Prepare the write of the lines. Raise LisaError(semantic_cursor_write_failed)."""
    raw = msgspec.json.encode(SemanticCursor(lines=lines, updated_at=format_rfc3339(now)))
    return stage_raw(path, msgspec.json.format(raw, indent=2), "semantic_cursor_write_failed")


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
