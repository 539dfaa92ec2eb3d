"""Time: the wall clock for records, the monotonic clock for deadlines, and the text form of both."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct


class Clock(Struct, frozen=True):
    """The two clocks and the pause; tests put their own in."""

    now: Callable[[], float] = time.time
    """Unix seconds."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never jump; they stop while the machine is suspended on Linux, not on macOS."""
    sleep: Callable[[float], None] = time.sleep


def rfc3339(unix: float, *, fraction: bool = False) -> str:
    """UTC, whole seconds (or nanoseconds with trailing zeros cut): `2026-11-21T01:56:39Z`."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix))
    if not fraction:
        return whole + "Z"
    digits = f"{unix % 1:.9f}"[2:].rstrip("0")
    return f"{whole}.{digits}Z" if digits else whole + "Z"


def local_stamp(unix: float) -> str:
    """`YYMMDD-HHMMSS` in local time, as generated session names carry it."""
    return time.strftime("%y%m%d-%H%M%S", time.localtime(unix))
