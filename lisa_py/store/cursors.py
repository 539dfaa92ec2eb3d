"""Cursor files: where a reader stopped, one section per kind of stream, so that one file may serve several commands."""

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
    """One settled line of a pane: enough to find it again, not enough to read it."""

    digest: str
    size: int


class PaneCursor(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    offset: int = 0
    """Bytes of output seen since the session began."""
    run_id: str = ""
    line: int = 0
    """Number of settled lines seen since the session began."""
    anchors: tuple[Anchor, ...] = ()
    """The last of them, oldest first; the newest may still grow."""
    rows: int = 0
    """Number of settled lines that the pane held."""
    top: tuple[Anchor, ...] = ()
    """The pane's first lines, where nothing can have been trimmed above them."""


class EventCursor(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    offset: int = 0
    """Sequence number of the last event seen."""


class TranscriptCursor(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    offset: int = 0
    """Byte offset behind the last record seen."""
    path: str = ""
    record: str = ""
    """Digest of the end of that record: a transcript that was rewritten is noticed."""


class CursorFile(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What one cursor file holds."""

    kind: str = ""
    """Which section was written last; its offset stands at the top for readers that know integers only."""
    offset: int = 0
    updated_at: str = ""
    pane: PaneCursor | None = None
    events: EventCursor | None = None
    transcript: TranscriptCursor | None = None
    fields: dict[str, Any] | None = None
    """Flattened payload of the last `packet --delta-json`."""

    def legacy_offset(self, kind: str) -> int:
        """The offset of a file that holds a bare integer (or says it is of this kind), else 0."""
        return self.offset if self.kind in ("", kind) else 0


def resolve_path(path: str) -> str:
    """The absolute path of a cursor file named by a user."""
    return files.absolute_path(path.strip())


def read(path: str) -> CursorFile:
    """The cursor; an empty one when the file is missing or blank.

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
        f"invalid --cursor-file: {why} (--cursor-reset sets the file aside and starts anew)",
    )


def read_or_reset(path: str, reset: bool, now: float) -> tuple[CursorFile, bool]:
    """As read; with `reset` an unreadable file is moved aside instead. The second value says whether it was."""
    found = read_or_set_aside(read, path, reset, now)
    return found or CursorFile(), found is None


def read_or_set_aside(reader: Callable[[str], T], path: str, reset: bool, now: float) -> T | None:
    """What the reader makes of the file; with `reset` None where it refuses the file, which is then moved aside.

    Raises as the reader.
    """
    try:
        return reader(path)
    except LisaError:
        if not reset or files.is_dir(path):
            raise
        files.set_aside(path, now)
        return None


def unusable_cursor_error(problem: Exception) -> UsageError:
    """A cursor file that is there and cannot be used."""
    why = (problem.strerror or "cannot be read").lower() if isinstance(problem, OSError) else str(problem)
    return _invalid(why)


def write(path: str, cursor: CursorFile, kind: str, offset: int, now: float) -> None:
    """Write the whole file, 0600, its folder made when missing. Raises LisaError(cursor_file_write_failed)."""
    stage(path, cursor, kind, offset, now).commit()


def stage(path: str, cursor: CursorFile, kind: str, offset: int, now: float) -> StagedFile:
    """As write, but not yet valid: what was read since the cursor is to reach its reader first."""
    ready = msgspec.structs.replace(cursor, kind=kind, offset=offset, updated_at=format_rfc3339(now))
    return stage_raw(path, msgspec.json.encode(ready) + b"\n", "cursor_file_write_failed")


def save(path: str, raw: bytes, code: str) -> None:
    """Raises LisaError(code)."""
    stage_raw(path, raw, code).commit()


def stage_raw(path: str, raw: bytes, code: str) -> StagedFile:
    """Raises LisaError(code)."""
    try:
        folder = os.path.dirname(path)
        if not files.is_dir(folder):
            files.ensure_private_dir(folder)
        return files.stage(path, raw)
    except LisaError as problem:
        raise LisaError(code, problem.message) from problem


class SemanticCursor(Struct, frozen=True, kw_only=True, rename="camel"):
    """`<cursor file>.semantic.json`: the meaningful lines a reader knows."""

    lines: tuple[str, ...] = ()
    updated_at: str = ""


def semantic_path(path: str) -> str:
    return path + ".semantic.json"


def read_semantic(path: str) -> SemanticCursor:
    """Raises LisaError(semantic_cursor_read_failed)."""
    try:
        raw = (files.read(path) or b"").strip()
        return jsontext.decode(raw, SemanticCursor) if raw else SemanticCursor()
    except (OSError, msgspec.DecodeError) as problem:
        raise LisaError(
            "semantic_cursor_read_failed", f"cannot read {path}: {problem} (remove it to start anew)"
        ) from problem


def stage_semantic(path: str, lines: tuple[str, ...], now: float) -> StagedFile:
    """As stage. Raises LisaError(semantic_cursor_write_failed)."""
    raw = msgspec.json.encode(SemanticCursor(lines=lines, updated_at=format_rfc3339(now)))
    return stage_raw(path, msgspec.json.format(raw, indent=2), "semantic_cursor_write_failed")


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
