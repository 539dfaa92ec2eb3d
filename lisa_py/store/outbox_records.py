"""Outbox of a session: texts that wait for delivery, and what became of them, kept also after its end."""

from __future__ import annotations

import contextlib
import os
from typing import Literal

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.host import files
from lisa_py.host.env import Settings
from lisa_py.store import session_folder
from lisa_py.store.json_records import load_readable
from lisa_py.store.paths import Project, SessionRef
from lisa_py.store.record import DAY, StoreRecord, check_registries
from lisa_py.store.registry import Registry, RegistryErrorCodes

SCRIPT, PID_FILE = "outbox.sh", "outbox.pid"
"""Files of the session folder: the start of the delivering process, there while it is needed, and its process id."""
ERROR_FILE = "outbox_error.txt"
"""Traceback of a delivering process that failed; the supervisor starts another."""
LOCK = "outbox"
"""Purpose of the lock that the delivering process holds while it runs."""
KEPT = 200
"""Texts of one session whose delivery is over and that are kept."""
KEPT_DAYS = 30
_CODES = RegistryErrorCodes(read="outbox_read_failed", write="outbox_write_failed")

OutboxWhen = Literal["now", "idle", "turn-end"]
OutboxState = Literal["queued", "pasted", "accepted", "answered", "expired", "withdrawn", "failed"]


class OutboxText(Struct, kw_only=True, omit_defaults=True):
    """One text; times are Unix seconds, 0 for not yet."""

    id: str
    text: str
    when: OutboxWhen
    state: OutboxState = "queued"
    session_id: str = ""
    """Id of the session that it is for; a later one of the same name does not get it."""
    sender: str = ""
    """Session that sent it."""
    verbatim: bool = False
    """No mark of its sender."""
    queued_at: float = 0.0
    expires_at: float = 0.0
    due_at: float = 0.0
    """Time before which it is not delivered."""
    at_limit: bool = False
    """Delivered only to an agent that waits for the end of a usage limit."""
    begun_at: float = 0.0
    """Time at which it was about to be pasted."""
    accepted_at: float = 0.0
    over_at: float = 0.0
    """Time after which its state does not change."""
    cursor: str = ""
    """Position of the conversation before it was pasted."""
    delivered_by: str = ""
    ended: str = ""
    """End of its turn: completed, failed or interrupted."""
    waiting_for: str = ""
    """Error code that a delivery had, or would have, now."""
    error_code: str = ""
    error: str = ""

    @property
    def is_over(self) -> bool:
        """Return True if the state does not change any more."""
        return bool(self.over_at)


class Outbox(Struct, kw_only=True):
    """`outbox/<session>.json` in the project's folder, oldest first."""

    texts: list[OutboxText] = []

    def find(self, identity: str) -> OutboxText | None:
        """Return the text of an id."""
        return next((each for each in self.texts if each.id == identity), None)

    @property
    def open(self) -> list[OutboxText]:
        """Return the texts whose state can change."""
        return [each for each in self.texts if not each.is_over]

    def trim(self) -> None:
        """Drop the oldest texts that are over."""
        over = [each for each in self.texts if each.is_over]
        dropped = {each.id for each in over[: max(0, len(over) - KEPT)]}
        self.texts = [each for each in self.texts if each.id not in dropped]


def registry(ref: SessionRef) -> Registry[Outbox]:
    return Registry(os.path.join(_folder(ref.project.folder), ref.session + ".json"), Outbox, _CODES)


def list_sessions(project: Project) -> list[SessionRef]:
    """Return all sessions that have an outbox."""
    names = files.list_names(_folder(project.folder))
    return [SessionRef(project, name.removesuffix(".json")) for name in names if name.endswith(".json")]


def _folder(project_folder: str) -> str:
    return os.path.join(project_folder, "outbox")


def prune(folder: str, settings: Settings, now: float) -> int:
    """Remove the outboxes without a session that nothing has changed for a month."""
    removed = 0
    for name in session_folder.list_entries(_folder(folder)):
        path = os.path.join(_folder(folder), name)
        if not name.endswith(".json") or not _is_outdated(folder, path, now):
            continue
        with contextlib.suppress(LisaError), files.lock(path + ".lock", timeout_ms=0):
            if _is_outdated(folder, path, now):
                removed += files.remove(path)
            files.remove(path + ".lock")
    return removed


def _is_outdated(folder: str, path: str, now: float) -> bool:
    session = os.path.basename(path).removesuffix(".json")
    if files.exists(os.path.join(folder, "sessions", session, "meta.json")):
        return False
    return load_readable(path, Outbox) is not None and files.modified_at(path) < now - KEPT_DAYS * DAY


RECORD = StoreRecord(
    check=lambda project, settings: check_registries(registry(ref) for ref in list_sessions(project)),
    snapshot=None,
    prune=prune,
)
