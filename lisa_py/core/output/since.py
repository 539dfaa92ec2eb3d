"""Parse `--delta-from`: an offset, an @unix time (s, ms or ns by its size), or an RFC 3339 time."""

from __future__ import annotations

from msgspec import Struct

from lisa_py.contract.errors import UsageError


class DeltaStart(Struct, frozen=True):
    """Start position of a reader; exactly one of the two is set."""

    text: str
    """As written."""
    offset: int | None = None
    time: float | None = None
    """Unix seconds."""

    @property
    def mode(self) -> str:
        return "offset" if self.time is None else "timestamp"


def parse(text: str) -> DeltaStart:
    """Parse the flag. Raise UsageError(invalid_delta_from)."""
    word = text.strip()
    if word.startswith("@"):
        return DeltaStart(word, time=_unix(word))
    if any(mark in word for mark in "T-:"):
        return DeltaStart(word, time=_rfc3339(word))
    try:
        return DeltaStart(word, offset=int(word))
    except ValueError:
        raise _invalid("invalid --delta-from: expected offset integer, @unix timestamp, or RFC3339 timestamp") from None


def _unix(word: str) -> float:
    if word == "@":
        raise _invalid("invalid --delta-from timestamp: missing unix value after @")
    try:
        number = int(word[1:])
        if number > 10**18:
            return number / 1e9
        return number / 1e3 if number > 10**12 else float(number)
    except (ValueError, OverflowError):
        raise _invalid(f"invalid --delta-from timestamp: {word}") from None


def _rfc3339(word: str) -> float:
    from datetime import UTC, datetime  # noqa: PLC0415 - slow to load, and rarely asked for

    try:
        moment = datetime.fromisoformat(word.replace("z", "Z"))
    except ValueError:
        raise _invalid(
            f"invalid --delta-from: {word} (expected offset integer, @unix timestamp, or RFC3339 timestamp)"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _invalid(message: str) -> UsageError:
    return UsageError("invalid_delta_from", message)
