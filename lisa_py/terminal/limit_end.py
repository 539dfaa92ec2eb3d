"""Read when a usage limit ends from the text of an agent."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from lisa_py.host.clock import find_zone

MINUTE = 60.0
"""Texts name whole minutes: the limit may end in the seconds after it."""
DAY = 86_400.0
LONGEST_DAYS = 400
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_BEGIN = re.compile(r"\b(?:resets?|again)(?::| at| on)?\s+(?=[\w(])", re.IGNORECASE)
_EPOCH = re.compile(r"limit reached\|(\d{10})\b", re.IGNORECASE)
_SPAN = re.compile(
    r"in ((?:\d+ ?(?:days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)(?:,? (?:and )?)?)+)", re.IGNORECASE
)
_PART = re.compile(r"(\d+) ?([dhms])", re.IGNORECASE)
_UNITS = {"d": DAY, "h": 3600.0, "m": 60.0, "s": 1.0}
_MOMENT = re.compile(
    r"(?:(?P<month>[A-Z][a-z]{2})[a-z]* (?P<day>\d{1,2})(?:st|nd|rd|th)?(?:,? (?P<year>\d{4}))?(?:,| at)? )?"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?[ \u202f]?(?P<half>[AaPp])\.?[Mm]\b\.?"
    r"(?: \((?P<zone>[A-Za-z][\w+/-]*)\))?"
)


def find_precision(text: str) -> float:
    """Return the seconds after `find_end` in which the limit may still hold."""
    return 1.0 if _EPOCH.search(text) or _SPAN.search(text) else MINUTE


def find_end(text: str, said_at: float, zone: str) -> float:
    """Return the Unix time at which the limit of a text ends; 0 if it names none that is certain.

    `said_at` is the time of the text; `zone` is the time zone of the agent (its TZ, empty for the machine's), for a
    text that names none.
    """
    if stamp := _EPOCH.search(text):
        return float(stamp[1])
    for begin in _BEGIN.finditer(text):
        rest = text[begin.end() :]
        if span := _SPAN.match(rest):
            return said_at + sum(int(number) * _UNITS[unit.lower()] for number, unit in _PART.findall(span[1]))
        if moment := _MOMENT.match(rest):
            return _find_moment(moment, said_at, zone)
    return 0.0


def _find_moment(found: re.Match[str], said_at: float, zone: str) -> float:
    place = find_zone(found["zone"] or zone)
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if place is None or not 1 <= hour <= 12 or minute > 59:
        return 0.0
    hour = hour % 12 + (12 if found["half"] in "Pp" else 0)
    before = datetime.fromtimestamp(said_at - MINUTE, UTC).astimezone(place)
    try:
        if found["month"]:
            return _find_date(found, before, hour, minute, place)
    except (ValueError, OverflowError):
        return 0.0
    today = datetime(before.year, before.month, before.day, hour, minute, tzinfo=place)
    moments = ((today + timedelta(days=days)).timestamp() for days in (0, 1, 2))
    return next((each for each in moments if each >= said_at - MINUTE), 0.0)


def _find_date(found: re.Match[str], before: datetime, hour: int, minute: int, place: tzinfo) -> float:
    """Return the moment of a text with a date; without a year it is the next such day."""
    month = _MONTHS.index(found["month"].lower()) + 1
    years = (int(found["year"]),) if found["year"] else (before.year, before.year + 1)
    for year in years:
        moment = datetime(year, month, int(found["day"]), hour, minute, tzinfo=place)
        if before.timestamp() <= moment.timestamp() <= (before + timedelta(days=LONGEST_DAYS)).timestamp():
            return moment.timestamp()
    return 0.0
