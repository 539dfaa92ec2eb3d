"""Clocks, time formats and the time parser."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

from msgspec import Struct


class Clock(Struct, frozen=True):
    """Wall clock, monotonic clock, CPU time and sleep; tests replace them."""

    now: Callable[[], float] = time.time
    """Unix seconds."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never jump; on Linux they stop during suspend, on macOS they do not."""
    cpu: Callable[[], float] = time.thread_time
    """CPU seconds of this thread."""
    sleep: Callable[[float], None] = time.sleep


def format_rfc3339(unix: float, *, fraction: bool = False) -> str:
    """Return UTC in whole seconds (or microseconds without trailing zeros): `2026-11-21T01:56:39Z`."""
    if not fraction:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix))
    micros = round(unix * 1_000_000)  # a float of today's seconds carries no more
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(micros // 1_000_000))
    digits = f"{micros % 1_000_000:06d}".rstrip("0")
    return f"{whole}.{digits}Z" if digits else whole + "Z"


def local_stamp(unix: float) -> str:
    """Return `YYMMDD-HHMMSS` in local time, as used in generated session names."""
    return time.strftime("%y%m%d-%H%M%S", time.localtime(unix))


def utc_stamp(unix: float) -> str:
    """Return `YYYYMMDD-HHMMSS-mmm` in UTC, which sorts by time."""
    millis = int(unix * 1000)
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(millis // 1000)) + f"-{millis % 1000:03d}"


def local_time(unix: float) -> str:
    """Return `HH:MM:SS` in local time."""
    return time.strftime("%H:%M:%S", time.localtime(unix))


def parse_time(text: str) -> float | None:
    """Return the Unix seconds of an RFC 3339 time or `@unix` time, or None for any other text.

    `@unix` is in seconds, milliseconds or nanoseconds, by its size. A time without a zone is in UTC.
    """
    try:
        if text.startswith("@"):
            number = int(text[1:])
            return number / 1e9 if number > 10**18 else number / 1e3 if number > 10**12 else float(number)
        moment = datetime.fromisoformat(text.replace("z", "Z"))
    except (ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def find_zone(name: str) -> tzinfo | None:
    """Return the time zone of a name, of the machine for an empty one; None if it is not known here."""
    import os  # noqa: PLC0415 - few calls need a time zone
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - as above

    name = name.removeprefix(":")
    if not name:
        found = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
        if not found:
            return None if os.path.exists("/etc/localtime") else UTC
        name = found.removeprefix("posix/").removeprefix("right/")
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return None
