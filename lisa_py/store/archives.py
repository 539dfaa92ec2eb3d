"""Archives of killed sessions: record, metadata and compressed frames, in one folder per session id."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator

from msgspec import Struct

from lisa_py.contract.errors import LisaError, session_not_found
from lisa_py.contract.records import SessionMeta
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import live_records, paths, session_folder, session_records
from lisa_py.store.json_records import UnreadableRecord, load, load_readable, save
from lisa_py.store.live_records import SessionRecord
from lisa_py.store.paths import ARCHIVES, Project, SessionRef
from lisa_py.store.record import DAY, StoreRecord

FRAMES = "frames.jsonl.gz"
"""One JSON frame per line; a gzip member per block, so that a reader begins at any block."""
INDEX = "index.json"
BLOCK_BYTES = 1 << 18
"""Bytes of frames that are compressed together."""
_PARTIAL_SECONDS = 3600
_GZIP = 31
"""Window bits of zlib for the gzip format."""


class ArchiveBlock(Struct, frozen=True, kw_only=True):
    """A gzip member of the frames."""

    offset: int
    size: int
    raw_bytes: int
    """Bytes of its frames before compression."""
    last: str
    """Cursor of its last frame."""


class ArchiveIndex(Struct, frozen=True, kw_only=True):
    """`index.json`: the conversations in order, and the blocks of frames."""

    sources: tuple[str, ...] = ()
    """Digests of the transcripts' paths, as in cursors."""
    blocks: tuple[ArchiveBlock, ...] = ()


class ArchiveWriter:
    """A new archive; it appears under its id once `finish` has written everything."""

    def __init__(self, ref: SessionRef, identity: str) -> None:
        """Start from the beginning. Raise LisaError(store_unwritable)."""
        self._target = SessionRef(ref.project, ref.session, identity)
        self._folder = os.path.join(ref.project.folder, ARCHIVES, f".{identity}.partial")
        files.remove_tree(self._folder)  # of a killed writer
        files.ensure_private_dir(self._folder)
        self._blocks: list[ArchiveBlock] = []
        self._lines: list[bytes] = []
        self._raw_bytes = 0
        self._last = ""

    def add(self, line: bytes, cursor: str) -> None:
        """Add a frame. Raise LisaError(store_unwritable)."""
        self._lines.append(line)
        self._raw_bytes += len(line) + 1
        self._last = cursor
        if self._raw_bytes >= BLOCK_BYTES:
            self._write_block()

    def _write_block(self) -> None:
        if not self._lines:
            return
        packer = zlib.compressobj(3, zlib.DEFLATED, _GZIP)
        packed = b"".join([*(packer.compress(line + b"\n") for line in self._lines), packer.flush()])
        files.append_bytes(os.path.join(self._folder, FRAMES), packed)
        offset = self._blocks[-1].offset + self._blocks[-1].size if self._blocks else 0
        self._blocks.append(ArchiveBlock(offset=offset, size=len(packed), raw_bytes=self._raw_bytes, last=self._last))
        self._lines, self._raw_bytes = [], 0

    def finish(self, record: SessionRecord, meta: SessionMeta, sources: tuple[str, ...]) -> SessionRef:
        """Write the rest and make the archive visible. Raise LisaError(store_unwritable)."""
        self._write_block()
        save(os.path.join(self._folder, INDEX), ArchiveIndex(sources=sources, blocks=tuple(self._blocks)))
        save(os.path.join(self._folder, "meta.json"), meta)
        save(os.path.join(self._folder, live_records.FILE), record)
        try:
            files.move(self._folder, self._target.folder)
        except OSError as problem:
            raise files.unwritable_error(self._target.folder, problem) from problem
        return self._target

    def discard(self) -> None:
        """Remove what was written."""
        files.remove_tree(self._folder)


# -- reading ------------------------------------------------------------------------------------------------------


def read_index(ref: SessionRef) -> ArchiveIndex:
    """Return the index of an archive; empty if it is missing. Raise UnreadableRecord."""
    return load(ref.file(INDEX), ArchiveIndex) or ArchiveIndex()


def read_block(ref: SessionRef, block: ArchiveBlock) -> list[bytes]:
    """Return the frames of a block as JSON lines. Raise LisaError(archive_unreadable | session_not_found)."""
    packed = files.read_from(ref.file(FRAMES), block.offset, block.size)
    if not packed and not files.is_dir(ref.folder):
        raise session_not_found(ref.session, ref.project.root)
    try:
        return zlib.decompress(packed, _GZIP, block.raw_bytes).split(b"\n")[:-1]
    except zlib.error as problem:
        raise LisaError(
            "archive_unreadable",
            f"{ref.file(FRAMES)} is damaged at byte {block.offset}: {problem}",
            session=ref.session,
        ) from problem


def list_archives(project: Project) -> Iterator[tuple[SessionRef, SessionRecord]]:
    """Yield the readable archives of a project."""
    for name in files.list_names(os.path.join(project.folder, ARCHIVES)):
        record = _read_record(project.folder, name) if paths.SESSION_ID.match(name) else None
        if record is not None and record.project_root in ("", project.root):
            yield SessionRef(project, record.session, name), record


def list_all_archives(settings: Settings, since: float = 0.0) -> Iterator[tuple[SessionRef, SessionRecord]]:
    """Yield the readable archives of all projects; only those written since a time, if one is given."""
    for digest in paths.list_project_hashes(settings):
        folder = os.path.join(settings.state_dir, "projects", digest)
        for name in files.list_names(os.path.join(folder, ARCHIVES)):
            path = os.path.join(folder, ARCHIVES, name, live_records.FILE)
            if since and files.modified_at(path) < since:
                continue
            record = _read_record(folder, name) if paths.SESSION_ID.match(name) else None
            project = paths.resolve_project(record.project_root, settings) if record and record.project_root else None
            if record is not None and project is not None and project.hash == digest:
                yield SessionRef(project, record.session, name), record


def _read_record(folder: str, identity: str) -> SessionRecord | None:
    return load_readable(os.path.join(folder, ARCHIVES, identity, live_records.FILE), SessionRecord)


def find_archive(settings: Settings, identity: str, root: str = "") -> SessionRef | None:
    """Return the archive of an id; `root` restricts it to one project."""
    digests = [paths.resolve_project(root, settings).hash] if root else paths.list_project_hashes(settings)
    for digest in digests:
        folder = os.path.join(settings.state_dir, "projects", digest)
        record = _read_record(folder, identity.lower())
        project = paths.resolve_project(record.project_root, settings) if record and record.project_root else None
        if record is not None and project is not None and project.hash == digest:
            return SessionRef(project, record.session, identity.lower())
    return None


def find_newest(settings: Settings, session: str, project: Project | None = None) -> SessionRef | None:
    """Return the newest archive of a session name, of one project or all."""
    found = list_all_archives(settings) if project is None else list_archives(project)
    matching = [(record.ended_at, ref) for ref, record in found if record.session == session]
    return max(matching, key=lambda pair: pair[0])[1] if matching else None


def remove(ref: SessionRef) -> None:
    """Remove an archive at once: a reader sees all of it or nothing."""
    hidden = os.path.join(ref.project.folder, ARCHIVES, f".{ref.archive}.partial")
    files.remove_tree(hidden)
    if files.is_dir(ref.folder):
        files.move(ref.folder, hidden)
        files.remove_tree(hidden)


def _check(project: Project, settings: Settings) -> Iterator[str]:
    for name in files.list_names(os.path.join(project.folder, ARCHIVES)):
        if paths.SESSION_ID.match(name):
            ref = SessionRef(project, "", name)
            try:
                load(ref.file(live_records.FILE), SessionRecord)
                read_index(ref)
                session_records.read_meta(ref)
            except UnreadableRecord as problem:
                yield str(problem)


def prune(folder: str, settings: Settings, now: float) -> int:
    """Remove the archives after LISA_EVENT_RETENTION_DAYS, and what killed writers left; return their number."""
    removed = 0
    parent = os.path.join(folder, ARCHIVES)
    for name in session_folder.list_entries(parent):
        path = os.path.join(parent, name)
        if paths.SESSION_ID.match(name):
            is_old = (
                files.modified_at(os.path.join(path, live_records.FILE)) < now - settings.event_retention_days * DAY
            )
            removed += is_old
        else:
            is_old = name.endswith(".partial") and files.modified_at(path) < now - _PARTIAL_SECONDS
        if is_old:
            files.remove_tree(path)
    return removed


RECORD = StoreRecord(check=_check, snapshot=None, prune=prune)
