"""Secret values of one session, kept in its folder while it exists so that output can be masked."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_py.contract.errors import LisaError
from lisa_py.store.json_records import UnreadableRecord, load, save
from lisa_py.store.paths import SessionRef
from lisa_py.store.record import StoreRecord

FILE = "masked.json"
"""Mode 0600; removed with the session folder."""


def write(ref: SessionRef, values: Sequence[str]) -> None:
    """Keep the values; no file for none. Raise LisaError(store_unwritable)."""
    if values:
        save(ref.file(FILE), values)


def read(ref: SessionRef) -> tuple[str, ...]:
    """Return the values; none if the session has no secrets. Raise LisaError(secrets_unreadable)."""
    try:
        return read_file(ref.file(FILE))
    except UnreadableRecord as problem:
        raise LisaError(
            "secrets_unreadable",
            f"the secrets of {ref.session} cannot be read, so its texts cannot be masked and are not shown: {problem}",
            session=ref.session,
        ) from problem


def read_file(path: str) -> tuple[str, ...]:
    """Return the values in a file. Raise UnreadableRecord."""
    return load(path, tuple[str, ...]) or ()


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
