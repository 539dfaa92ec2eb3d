"""Read codex's usage limits: exact times in its rollout, whole minutes in its message."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from lisa_py.agents._codex.errors import classify_error
from lisa_py.agents.base import LimitReport
from lisa_py.host import files
from lisa_py.host.clock import parse_time

TAIL_BYTES = 1 << 18
FULL_PERCENT = 100.0
_DAY_MINUTES, _HOUR_MINUTES = 1440, 60


class _Window(Struct):
    used_percent: float = 0.0
    window_minutes: float | None = None
    resets_at: float | None = None
    resets_in_seconds: float | None = None


class _RateLimits(Struct):
    primary: _Window | None = None
    secondary: _Window | None = None


class _Payload(Struct):
    type: str = ""
    rate_limits: _RateLimits | None = None
    error: Any = None


class _Line(Struct):
    timestamp: str = ""
    payload: _Payload | None = None


_decode = msgspec.json.Decoder(_Line).decode


def find_counts(records: list[_Line], at: float) -> LimitReport | None:
    """Return the limit by the newest counts, whose times are exact; None without a full window (0.171)."""
    for record in records:
        limits = record.payload.rate_limits if record.payload is not None else None
        if limits is None:
            continue
        full = [each for each in (limits.primary, limits.secondary) if each and each.used_percent >= FULL_PERCENT]
        ends = [(_find_end(each, parse_time(record.timestamp) or at), each) for each in full]
        end, window = max(ends, key=lambda each: each[0], default=(0.0, None))
        if window is None or not end:
            return None
        return LimitReport(resets_at=end, window=_describe_window(window.window_minutes or 0))
    return None


def read_newest(rollout: str) -> list[_Line]:
    """Return the records of the newest turn's end about limits, newest first."""
    size = files.size(rollout) if rollout else 0
    if size <= 0:
        return []
    found = []
    for line in reversed(files.read_from(rollout, max(0, size - TAIL_BYTES), TAIL_BYTES).split(b"\n")):
        if b'"task_started"' in line:
            break
        if b'"token_count"' in line or b'"task_complete"' in line:
            try:
                found.append(_decode(line))
            except (ValueError, RecursionError):
                continue  # the torn first line, or another shape
    return found


def find_message(records: list[_Line]) -> tuple[str, float] | None:
    """Return the newest message about a limit, and its time."""
    return next((found for found in map(_read_message, records) if found), None)


def _read_message(record: _Line) -> tuple[str, float] | None:
    error = record.payload.error if record.payload is not None else None
    if not isinstance(error, dict):
        return None
    message = error.get("message")
    if not isinstance(message, str) or classify_error(error.get("codex_error_info"), message) != "usage_limit":
        return None
    return message, parse_time(record.timestamp) or 0.0


def _find_end(window: _Window, counted_at: float) -> float:
    if window.resets_at is not None:
        return window.resets_at
    return counted_at + window.resets_in_seconds if window.resets_in_seconds is not None and counted_at else 0.0


def _describe_window(minutes: float) -> str:
    """Return `5 hours` for 300 minutes; empty for 0."""
    for unit, name in ((_DAY_MINUTES, "day"), (_HOUR_MINUTES, "hour"), (1, "minute")):
        if minutes >= unit:
            number = round(minutes / unit)
            return f"{number} {name}{'s' if number != 1 else ''}"
    return ""
