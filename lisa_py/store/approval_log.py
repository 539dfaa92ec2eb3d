"""Log of all decisions about tool calls, append-only: `approvals/YYYY-MM.jsonl` in the state folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from lisa_py.contract.approvals import ApprovalEntry
from lisa_py.host import files
from lisa_py.store.record import StoreRecord

FOLDER = "approvals"


def append(state_dir: str, entry: ApprovalEntry) -> None:
    """Append a line to the file of its month. Raise LisaError(store_unwritable)."""
    folder = files.ensure_private_dir(os.path.join(state_dir, FOLDER))
    files.append(os.path.join(folder, f"{entry.at[:7]}.jsonl"), msgspec.json.encode(entry) + b"\n")


def read(state_dir: str, since: str = "") -> Iterator[ApprovalEntry | None]:
    """Yield the decisions from a time (RFC 3339) on, oldest first; None for each line that cannot be read."""
    folder = os.path.join(state_dir, FOLDER)
    for name in sorted(files.list_names(folder)):
        if name.endswith(".jsonl") and name[:7] >= since[:7]:
            for line in files.read_lines(os.path.join(folder, name)):
                entry = _decode(line)
                if entry is None or entry.at >= since:
                    yield entry


def _decode(line: bytes) -> ApprovalEntry | None:
    try:
        return msgspec.json.decode(line, type=ApprovalEntry)
    except msgspec.DecodeError:
        return None


RECORD = StoreRecord(check=None, snapshot=None, prune=None)
