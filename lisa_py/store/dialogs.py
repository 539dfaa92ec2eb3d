"""Dialogs of a session and the decisions about them: `dialogs/` in its folder, one of each per dialog.

`KEY.json` is the dialog as the waiting hook received it, `KEY.pipe` the pipe that this hook waits at, `KEY.decision`
the decision: what the hook prints in the first line, the record in the second. It is created exclusively.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.contract import jsontext
from lisa_py.contract.dialogs import DecisionRecord
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import session_folder
from lisa_py.store.paths import Project, SessionRef
from lisa_py.store.record import StoreRecord
from lisa_py.store.session_records import list_sessions

FOLDER = "dialogs"
_DIALOG, _PIPE, _DECISION = ".json", ".pipe", ".decision"
CLOSED_PROGRAM = "rule.closed"
"""Program in the session folder that records the closing of a dialog; its name is also in pane/hook.sh."""
_DECIDED, _CLOSED = "decided", "closed"
"""Words for the waiting hook: print the decision, end without one."""
SIZE_LIMIT = 1 << 20


class HookedDialog(Struct, frozen=True, kw_only=True):
    """A dialog whose hook has recorded it."""

    key: str
    at: float
    """Unix seconds."""
    pid: int
    """Process id of the agent; 0: unknown."""
    payload: Mapping[str, Any]
    """The agent's own words: session_id, tool_name, tool_input, ...; without the input if that is over the limit."""

    @property
    def is_cut(self) -> bool:
        return bool(self.payload.get("cut"))


def list_dialogs(ref: SessionRef) -> tuple[HookedDialog, ...]:
    """Return the recorded dialogs, oldest first; unreadable ones are left out."""
    folder = ref.file(FOLDER)
    names = [name for name in session_folder.list_entries(folder) if name.endswith(_DIALOG) and name[:1] != "."]
    found = [_read_dialog(folder, name) for name in names]
    return tuple(sorted((each for each in found if each is not None), key=lambda each: (each.at, each.key)))


def _read_dialog(folder: str, name: str) -> HookedDialog | None:
    try:
        raw = files.read(os.path.join(folder, name), limit=SIZE_LIMIT)
        record = jsontext.decode(raw, dict[str, Any]) if raw else {}
        payload = record.get("payload")
        return HookedDialog(
            key=name[: -len(_DIALOG)],
            at=float(record["at"]),
            pid=int(record.get("pid", 0)),
            payload=payload if isinstance(payload, dict) else {},
        )
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError):
        return None


def is_waiting(ref: SessionRef, key: str) -> bool:
    """Return True if the hook of the dialog waits for the decision."""
    return files.write_to_pipe(_path(ref, key, _PIPE), "")


def list_waiting(ref: SessionRef) -> tuple[HookedDialog, ...]:
    """Return the dialogs whose hooks wait, oldest first."""
    folder = ref.file(FOLDER)
    names = [name for name in session_folder.list_entries(folder) if name.endswith(_PIPE)]
    keys = [name[: -len(_PIPE)] for name in names]
    found = [_read_dialog(folder, key + _DIALOG) for key in keys if is_waiting(ref, key)]
    return tuple(sorted((each for each in found if each is not None), key=lambda each: (each.at, each.key)))


def decide(ref: SessionRef, key: str, record: DecisionRecord, output: str = "") -> bool:
    """Record the decision; return False if there is one. Raise LisaError(store_unwritable).

    `output` is what the waiting hook prints for its agent, in one line.
    """
    session_folder.check_not_symlink(ref)
    files.ensure_private_dir(ref.file(FOLDER))
    return files.create(_path(ref, key, _DECISION), output.encode() + b"\n" + msgspec.json.encode(record) + b"\n")


def read_decision(ref: SessionRef, key: str) -> DecisionRecord | None:
    """Return the decision about a dialog; None if there is none, or an unreadable one."""
    try:
        raw = files.read(_path(ref, key, _DECISION), limit=SIZE_LIMIT) or b""
        line = raw.split(b"\n")[1]
        return jsontext.decode(line, DecisionRecord)
    except (OSError, IndexError, msgspec.DecodeError):
        return None


def withdraw(ref: SessionRef, key: str) -> None:
    """Remove a decision that did not reach the agent."""
    files.remove(_path(ref, key, _DECISION))


def release_decided(ref: SessionRef, key: str) -> bool:
    """Let the waiting hook print the decision; return False if no hook waits."""
    return files.write_to_pipe(_path(ref, key, _PIPE), _DECIDED)


def release_closed(ref: SessionRef, key: str) -> bool:
    """Let the waiting hook end without a decision: the dialog is closed."""
    return files.write_to_pipe(_path(ref, key, _PIPE), _CLOSED)


def records_closings(ref: SessionRef) -> bool:
    """Return True if the hooks of the session record answers that are given in the pane."""
    return files.exists(ref.file(CLOSED_PROGRAM))


def list_decided_keys(ref: SessionRef) -> tuple[str, ...]:
    """Return the keys of all decided dialogs."""
    names = session_folder.list_entries(ref.file(FOLDER))
    return tuple(name[: -len(_DECISION)] for name in names if name.endswith(_DECISION))


def _path(ref: SessionRef, key: str, kind: str) -> str:
    return os.path.join(ref.file(FOLDER), key + kind)


def _check(project: Project, settings: Settings) -> Iterator[str]:
    for ref in list_sessions(project):
        for key in list_decided_keys(ref):
            if read_decision(ref, key) is None:
                yield f"{_path(ref, key, _DECISION)}: it is no decision"


RECORD = StoreRecord(check=_check, snapshot=None, prune=None)
