"""Limits of sessions that programs start: running at the same time, and new ones per minute."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from lisa_py.contract.errors import LisaError
from lisa_py.core.context import Context
from lisa_py.core.fleet import session_objects
from lisa_py.host import files
from lisa_py.host.clock import parse_time
from lisa_py.store.live_records import SessionRecord

MAX_STARTED = 20
"""Running sessions of start-session."""
WINDOW_SECONDS = 60
LOCK_SECONDS = 60


class AdmissionLimits(Struct, frozen=True, kw_only=True):
    """Limits of one owner family; 0 is none."""

    running: int = 0
    per_minute: int = 0


@contextmanager
def admit(ctx: Context, family: str, limits: AdmissionLimits) -> Iterator[None]:
    """Hold the place of one new session while it starts.

    Raise LisaError(max_sessions_reached | rate_limited | state_lock_timeout), TmuxUnavailable.
    """
    folder = files.ensure_private_dir(os.path.join(ctx.settings.state_dir, "server"))
    with files.lock(os.path.join(folder, f"{family}.lock"), timeout_ms=LOCK_SECONDS * 1000):
        _check_rate(ctx, family, limits.per_minute)
        if limits.running and session_objects.count_running(ctx, lambda record: _counts(record, family)) >= (
            limits.running
        ):
            raise LisaError(
                "max_sessions_reached",
                f"{limits.running} sessions are running already; end one, or start lisa serve with --max-sessions",
                limit=limits.running,
            )
        yield


def _counts(record: SessionRecord, family: str) -> bool:
    """Return True for a session of the family, except those of `lisa session spawn`."""
    return record.family == family and (family == "user" or record.trigger_source != "lisa")


def _check_rate(ctx: Context, family: str, limit: int) -> None:
    """Raise LisaError(rate_limited)."""
    if not limit:
        return
    now = ctx.clock.now()
    records = session_objects.list_records(ctx, family, now - WINDOW_SECONDS)
    times = (parse_time(record.created_at) or 0.0 for record in records)
    recent = sorted(time for time in times if 0 <= now - time < WINDOW_SECONDS)  # none of before the clock was set back
    if len(recent) >= limit:
        wait = max(1, math.ceil(recent[-limit] + WINDOW_SECONDS - now))
        text = f"{len(recent)} sessions were started within a minute (at most {limit}); try again in {wait} s"
        raise LisaError("rate_limited", text, retryAfter=wait)
