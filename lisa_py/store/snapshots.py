"""Snapshot files: the last answer of a reader, stored to be compared with the next one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.env import Settings
from lisa_py.host.files import StagedFile
from lisa_py.store import cursors
from lisa_py.store.json_records import UnreadableRecord, recover, save
from lisa_py.store.record import StoreRecord

S = TypeVar("S", bound=Struct)
T = TypeVar("T")
RECORD = StoreRecord(check=None, snapshot=None, prune=None)


class SnapshotChanges(Struct, frozen=True):
    """Keys in order of name, then project."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.added) + len(self.removed) + len(self.changed)


def compare(
    before: Mapping[str, T], now: Mapping[str, T], simplify: Callable[[T], object] = lambda item: item
) -> SnapshotChanges:
    """Compare two snapshots; `simplify` drops the parts of an item whose change does not count."""
    common = now.keys() & before.keys()
    return SnapshotChanges(
        added=_sort_by_name(now.keys() - before.keys()),
        removed=_sort_by_name(before.keys() - now.keys()),
        changed=_sort_by_name(key for key in common if simplify(now[key]) != simplify(before[key])),
    )


def _sort_by_name(keys: Iterable[str]) -> tuple[str, ...]:
    """Sort `name` and `name@project` by name, then by project."""
    return tuple(sorted(keys, key=lambda key: key.partition("@")))


def read(path: str, kind: type[S]) -> S:
    """Return the snapshot, an empty one if the file is missing or blank.

    Raises UsageError(invalid_cursor_file), also for the cursor file of another command.
    """
    try:
        if files.exists(path) and not files.is_own_file(path):
            raise UnreadableRecord(f"{path} is not a plain file of this user")
        raw = (files.read(path) or b"").strip()
        if not raw:
            return kind()
        found = jsontext.decode(raw, dict[str, Any])
        if not _payload_fields(kind) & found.keys():
            raise UnreadableRecord(f"{path} is the cursor of another command")
        return msgspec.convert(found, kind)
    except msgspec.DecodeError as problem:
        raise cursors.unusable_cursor_error(UnreadableRecord(f"{path}: {problem}")) from None
    except (UnreadableRecord, OSError) as problem:
        raise cursors.unusable_cursor_error(problem) from None


def _payload_fields(kind: type[Struct]) -> set[str]:
    return {
        field.encode_name for field in msgspec.structs.fields(kind) if field.default_factory is not msgspec.NODEFAULT
    }


def read_or_reset(path: str, kind: type[S], reset: bool, now: float) -> tuple[S, bool]:
    """Return the snapshot, and True if it was unreadable and moved aside because of `reset`."""
    found = cursors.read_or_set_aside(lambda each: read(each, kind), path, reset, now)
    return (kind(), True) if found is None else (found, False)


def stage(path: str, snapshot: Struct, now: float) -> StagedFile:
    """Write the snapshot next to its file, to be committed later. Raise LisaError(cursor_file_write_failed)."""
    dated = msgspec.structs.replace(snapshot, updated_at=format_rfc3339(now))
    raw = msgspec.json.format(msgspec.json.encode(dated), indent=2) + b"\n"
    return cursors.stage_raw(path, raw, "cursor_file_write_failed")


def write(path: str, snapshot: Struct, now: float) -> None:
    """Replace the snapshot. Raise LisaError(cursor_file_write_failed)."""
    stage(path, snapshot, now).commit()


def change(path: str, kind: type[S], settings: Settings, now: float, edit: Callable[[S], S]) -> tuple[S, str]:
    """Read, edit and write a snapshot of lisa's own under its lock.

    Returns the former snapshot and the path that an unreadable one was moved to. Raises LisaError(store_unwritable).
    """
    files.ensure_private_dir(os.path.dirname(path))
    with files.lock(path + ".lock", timeout_ms=settings.state_lock_timeout_ms):
        found, aside = recover(path, kind, now)
        before = found or kind()
        save(path, edit(before))
        return before, aside
