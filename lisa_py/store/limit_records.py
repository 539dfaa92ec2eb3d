"""Limits of a session, and what its limit process has done about them."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from lisa_py.contract.limits import OnLimit
from lisa_py.contract.session_settings import SessionSettings
from lisa_py.store.json_records import load_readable, save
from lisa_py.store.paths import LIMITS_FILE, SessionRef
from lisa_py.store.record import StoreRecord, check_session_files

FILE, PROGRESS_FILE, SCRIPT, PID_FILE = LIMITS_FILE, "limit_state.json", "limits.sh", "limits.pid"
ERROR_FILE = "limits_error.txt"
"""Traceback of a limit process that failed; its supervisor has started another."""
LOCK = "limits"
"""Purpose of the lock that the limit process holds while it runs."""


class LimitRecord(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """`limits.json` in the session folder, written by spawn."""

    run_id: str
    started_at: float
    """Unix seconds."""
    started_monotonic: float
    """The same moment on the clock that cannot be set."""
    max_turns: int = 0
    max_budget_usd: float = 0.0
    task_budget_tokens: int = 0
    ttl_seconds: int = 0
    one_shot: bool = False
    on_limit: OnLimit | Literal[""] = ""


LIMIT_FIELDS = ("max_turns", "max_budget_usd", "task_budget_tokens", "ttl_seconds", "one_shot")
RECORD_FIELDS = (*LIMIT_FIELDS, "on_limit")


class LimitNotice(Struct, kw_only=True, omit_defaults=True):
    """One warning, or the end."""

    limit: str
    at: float
    subtype: str
    """Subtype of the system frame."""
    message: str


class LimitProgress(Struct, kw_only=True, omit_defaults=True):
    """`limit_state.json`, written by the limit process."""

    run_id: str = ""
    notices: list[LimitNotice] = msgspec.field(default_factory=list)
    reached: str = ""


def build_record(settings: SessionSettings, run_id: str, now: float, monotonic: float) -> LimitRecord | None:
    """Return the limits among the settings of a session; None if there are none."""
    given = {field: value for field in RECORD_FIELDS if (value := getattr(settings, field))}
    return LimitRecord(run_id=run_id, started_at=now, started_monotonic=monotonic, **given) if given else None


def parse_on_limit(word: str) -> OnLimit | Literal[""]:
    """Return what happens at a limit; empty for nothing."""
    return "wait" if word == "wait" else "stop" if word == "stop" else ""


def set_on_limit(ref: SessionRef, choice: OnLimit | Literal[""], fallback: LimitRecord) -> None:
    """Set what happens at a usage limit; `fallback` becomes the record of a session without one.

    Raise LisaError(store_unwritable).
    """
    save(ref.file(FILE), msgspec.structs.replace(read_limits(ref, fallback.run_id) or fallback, on_limit=choice))


def read_limits(ref: SessionRef, run_id: str = "") -> LimitRecord | None:
    """Return the limits of the session, of this run if one is given; None without readable ones."""
    found = load_readable(ref.file(FILE), LimitRecord)
    return None if found is None or run_id not in ("", found.run_id) else found


def read_progress(ref: SessionRef, run_id: str) -> LimitProgress:
    """Return the progress of this run; an empty one if there is none that can be read."""
    found = load_readable(ref.file(PROGRESS_FILE), LimitProgress)
    return found if found is not None and found.run_id == run_id else LimitProgress(run_id=run_id)


def write_progress(ref: SessionRef, progress: LimitProgress) -> None:
    """Write the progress. Raise LisaError(store_unwritable)."""
    save(ref.file(PROGRESS_FILE), progress)


RECORD = StoreRecord(
    check=lambda project, settings: check_session_files(project, {FILE: LimitRecord, PROGRESS_FILE: LimitProgress}),
    snapshot=None,
    prune=None,
)
