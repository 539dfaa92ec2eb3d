"""Remember how much output the oldest rows of a pane hold, so that later reads count only the rows added since."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.store.paths import SessionRef
from lisa_py.store.record import StoreRecord


class PaneCount(Struct, frozen=True, kw_only=True, rename="camel"):
    """`pane-count.json` in the session folder: a cache that can be deleted at any time."""

    run_id: str
    pane_id: str
    width: int
    height: int
    rows: int
    """Number of counted rows; the next row begins a line."""
    size: int
    """Bytes of their lines, each with its line feed."""
    anchor: str
    """Digest of the end of the counted text."""


def load(ref: SessionRef) -> PaneCount | None:
    """Return the remembered count; None if missing or damaged."""
    try:
        raw = files.read(_path(ref))
        return jsontext.decode(raw, PaneCount) if raw else None
    except (OSError, LisaError, msgspec.DecodeError):
        return None


def save(ref: SessionRef, count: PaneCount) -> None:
    """Save the count if possible; a reader that cannot write counts again next time."""
    if not files.is_dir(ref.folder):
        return
    try:
        files.write(_path(ref), msgspec.json.encode(count))
    except (OSError, LisaError):
        return


def _path(ref: SessionRef) -> str:
    return ref.file("pane-count.json")


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
