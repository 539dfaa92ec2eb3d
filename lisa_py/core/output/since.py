"""Parse `--delta-from`: an offset, an @unix time (s, ms or ns by its size), or an RFC 3339 time."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.errors import UsageError
from lisa_py.host.clock import parse_time


class DeltaStart(Struct, frozen=True):
    """Start position of a reader; exactly one of the two is set."""

    text: str
    """Value of the flag, unchanged."""
    offset: int | None = None
    time: float | None = None
    """Unix seconds."""

    @property
    def mode(self) -> str:
        return "offset" if self.time is None else "timestamp"


def parse(text: str) -> DeltaStart:
    """Parse the flag. Raise UsageError(invalid_delta_from)."""
    word = text.strip()
    if word == "@":
        raise _invalid("invalid --delta-from timestamp: missing unix value after @")
    if any(mark in word for mark in "@T-:"):
        time = parse_time(word)
        if time is None:
            raise _invalid(
                f"invalid --delta-from: {word} (expected offset integer, @unix timestamp, or RFC3339 timestamp)"
            )
        return DeltaStart(word, time=time)
    try:
        return DeltaStart(word, offset=int(word))
    except ValueError:
        raise _invalid("invalid --delta-from: expected offset integer, @unix timestamp, or RFC3339 timestamp") from None


def _invalid(message: str) -> UsageError:
    return UsageError("invalid_delta_from", message)
