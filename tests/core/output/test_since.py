"""Parse `--delta-from`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_py.contract.errors import UsageError
from lisa_py.core.output.since import parse
from lisa_py.host.clock import format_rfc3339

FAR = 253_402_300_799  # the last second of the year 9999


@given(st.integers(-(10**30), 10**30))
def test_number_is_an_offset(number: int) -> None:
    text = str(number) if number >= 0 else f" {number}"
    if number >= 0:
        assert (parse(text).offset, parse(text).mode) == (number, "offset")


@pytest.mark.parametrize(("factor", "least"), [(1, 0), (1000, 10**10), (10**9, 10**10)])
def test_unix_time_unit_is_derived_from_size(factor: int, least: int) -> None:
    moment = 1_795_745_600 if least else 12
    since = parse(f"@{moment * factor}")
    assert (since.time, since.mode, since.offset) == (moment, "timestamp", None)


@given(st.integers(0, FAR))
def test_formatted_time_is_parsed_back(moment: int) -> None:
    assert parse(format_rfc3339(float(moment))).time == moment


@given(st.floats(0, 4e9))
def test_fractions_are_kept(moment: float) -> None:
    read = parse(format_rfc3339(moment, fraction=True)).time
    assert read is not None and abs(read - moment) < 0.002


@given(st.datetimes().map(lambda moment: moment.isoformat()))
def test_any_date_is_parsed(text: str) -> None:
    assert parse(text).time is not None


@given(st.one_of(st.text(max_size=30), st.from_regex(r"@?[-+0-9TZ:.e]{1,400}", fullmatch=True)))
def test_invalid_value_is_refused_with_its_code(text: str) -> None:
    try:
        since = parse(text)
    except UsageError as problem:
        assert problem.code == "invalid_delta_from"
    else:
        assert (since.offset is None) != (since.time is None)


@pytest.mark.parametrize(
    "text", ["", "@", "@x", "soon", "@" + "9" * 400, "2026-13-01", "12:99", "0001-01-01T00:00:00+23:59"]
)
def test_unusual_values(text: str) -> None:
    try:
        assert parse(text).time is not None
    except UsageError as problem:
        assert problem.code == "invalid_delta_from"
