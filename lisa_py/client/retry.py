"""Decide if and when a call is made again."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

FailureKind = Literal["unreachable", "timeout", "lost"]
"""unreachable: nothing was sent. The server may have done a call that ends with another one."""


class HttpReply(Struct, frozen=True):
    """An answer of the server."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Failure(Struct, frozen=True):
    """A call without an answer."""

    kind: FailureKind
    message: str


class Retry(Struct, frozen=True, kw_only=True):
    """Rule for calls that failed.

    GET, PUT and DELETE are made again, and POST with an idempotent key. Another POST is made again only if no
    connection was made, so nothing is created twice.
    """

    max_retries: int = 3
    retry_delay: float = 1.0
    """Seconds before the first retry; doubled for each further one."""
    max_delay: float = 30.0
    """Longest pause; a call is not made again if the server asks for a longer one."""
    retry_on: tuple[int, ...] = (429, 502, 503, 504)

    def choose_delay(
        self, retries: int, outcome: HttpReply | Failure, *, is_repeatable: bool, now: float
    ) -> float | None:
        """Return the seconds to wait before the next try; None if there is none.

        `retries` counts those already made, `now` is Unix time.
        """
        if retries >= self.max_retries:
            return None
        if isinstance(outcome, Failure):
            allowed, asked = is_repeatable or outcome.kind == "unreachable", None
        else:
            allowed = is_repeatable and outcome.status in self.retry_on
            asked = read_retry_after(outcome.headers, now)
        delay = self.retry_delay * 2.0**retries if asked is None else asked
        if not allowed or (asked is not None and asked > self.max_delay):
            return None
        return min(delay, self.max_delay)


NO_RETRY = Retry(max_retries=0)


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds of the header Retry-After, which holds seconds or a date; None without a valid one."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
