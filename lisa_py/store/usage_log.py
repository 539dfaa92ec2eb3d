"""Log of the usage of all sessions of a project, append-only: a file per month."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from lisa_py.host import files
from lisa_py.host.clock import format_rfc3339
from lisa_py.host.env import Settings
from lisa_py.store.paths import Project
from lisa_py.store.record import DAY, StoreRecord

FOLDER = "usage"
KEPT_DAYS = 400


class UsageRow(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """One line: what a session used in an hour since its last line."""

    hour: str
    """YYYY-MM-DDTHH in UTC."""
    session: str
    """Id of the session."""
    batch: int
    """Number of the line among those of its session; a line written twice counts once."""
    model: str = ""
    provider: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None
    estimated: bool = True
    name: str = ""
    """Name of the session; empty in lines of older versions."""
    lane: str = ""
    identities: tuple[str, ...] = ()
    """URL-safe names under which the usage counts."""


def append_rows(project: Project, rows: Iterable[UsageRow], now: float) -> None:
    """Append lines to the file of this month. Raise LisaError(store_unwritable)."""
    folder = files.ensure_private_dir(os.path.join(project.folder, FOLDER))
    path = os.path.join(folder, f"{format_rfc3339(now)[:7]}.jsonl")
    files.append(path, b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def read_rows(project: Project, since: str = "") -> Iterator[UsageRow]:
    """Yield the lines of hours from `since` on, each once; unreadable lines are left out."""
    folder = os.path.join(project.folder, FOLDER)
    known: set[tuple[str, int]] = set()
    for name in sorted(files.list_names(folder)):
        if not name.endswith(".jsonl") or name[:7] < since[:7]:
            continue
        for row in _read_file(os.path.join(folder, name)):
            key = (row.session, row.batch)
            if key not in known and row.hour >= since:
                known.add(key)
                yield row


def _read_file(path: str) -> Iterator[UsageRow]:
    for line in files.read_lines(path):
        try:
            yield msgspec.json.decode(line, type=UsageRow)
        except msgspec.DecodeError:
            continue


def _prune(folder: str, settings: Settings, now: float) -> int:
    """Remove the files of months that ended long ago; return their number."""
    oldest = format_rfc3339(now - KEPT_DAYS * DAY)[:7]
    path = os.path.join(folder, FOLDER)
    outdated = [name for name in files.list_names(path) if name.endswith(".jsonl") and name[:7] < oldest]
    for name in outdated:
        files.remove(os.path.join(path, name))
    return len(outdated)


RECORD = StoreRecord(check=None, snapshot=None, prune=_prune)
