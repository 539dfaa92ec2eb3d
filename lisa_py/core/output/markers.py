"""Search texts in the output of a session: exact, counted, with positions, never in an echoed prompt."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lisa_py.contract.errors import UsageError


class SearchLine(Struct, frozen=True):
    """One line to search."""

    text: str
    is_output: bool = True
    """True for output; False for an echoed prompt, which is skipped but counts for offsets."""
    at: str = ""
    """RFC 3339 time of the line, if known."""


class Hit(Struct, frozen=True, rename="camel"):
    marker: str
    start: int
    """Byte offset in the searched text."""
    end: int
    line: int
    """Counted from 1."""
    at: str


class MarkerSearchResult(Struct, frozen=True):
    """Result of a search, as in the payload."""

    markers: tuple[str, ...]
    matches: dict[str, bool]
    found: tuple[str, ...]
    missing: tuple[str, ...]
    counts: dict[str, int]
    hits: tuple[Hit, ...]


def parse(csv: str, single: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the markers of `--markers a,b` and repeated `--marker TEXT` (which may hold commas), each once.

    Raise UsageError(invalid_markers).
    """
    parts = [part.strip() for part in csv.split(",")] if csv.strip() else []
    parts += [part.strip() for part in single]
    if not all(parts):
        raise UsageError(
            "invalid_markers",
            "invalid --markers: markers must be non-empty comma-separated values (one with a comma: --marker TEXT)",
        )
    return tuple(dict.fromkeys(parts))


def search(lines: Sequence[SearchLine], markers: Sequence[str], now: str) -> MarkerSearchResult:
    """Return every position of every marker in lines joined by line feeds; `now` dates lines without a time."""
    hits: list[Hit] = []
    offset = 0
    for number, line in enumerate(lines, 1):
        if line.is_output:
            hits.extend(_find_in_line(line, markers, offset, number, now))
        offset += len(line.text.encode("utf-8", "replace")) + 1
    counts = {marker: sum(hit.marker == marker for hit in hits) for marker in markers}
    return MarkerSearchResult(
        markers=tuple(markers),
        matches={marker: counts[marker] > 0 for marker in markers},
        found=tuple(sorted(marker for marker in markers if counts[marker])),
        missing=tuple(sorted(marker for marker in markers if not counts[marker])),
        counts=counts,
        hits=tuple(sorted(hits, key=lambda hit: (hit.start, hit.marker))),
    )


def _find_in_line(line: SearchLine, markers: Sequence[str], offset: int, number: int, now: str) -> list[Hit]:
    hits = []
    for marker in markers:
        at = line.text.find(marker)
        while at >= 0:
            start = offset + len(line.text[:at].encode("utf-8", "replace"))
            end = start + len(marker.encode("utf-8", "replace"))
            hits.append(Hit(marker, start, end, number, line.at or now))
            at = line.text.find(marker, at + len(marker))
    return hits
