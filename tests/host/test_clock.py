"""host/clock: one parser for every time that lisa reads."""

from __future__ import annotations

import pytest

from lisa_py.host.clock import parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2026-11-21T02:09:34.487Z", 1795226974.487),
        ("2024-02-29T23:59:59.5z", 1709251199.5),
        ("2000-03-01T00:00:00.123456789Z", 951868800.123456),
        ("2000-03-01T01:00:00+01:00", 951868800.0),
        ("2000-03-01T00:00:00", 951868800.0),
        ("2000-03-01", 951868800.0),
        ("@951868800", 951868800.0),
        ("@951868800500", 951868800500.0),
        ("@1795226974487", 1795226974.487),
        ("@1795226974487000000", 1795226974.487),
        ("@0", 0.0),
    ],
)
def test_times_are_unix_seconds(text: str, seconds: float) -> None:
    assert parse_time(text) == pytest.approx(seconds, abs=1e-5)


@pytest.mark.parametrize("text", ["", "@", "@x", "@²", "yesterday", "2026-13-01T00:00:00Z", "@" + "9" * 400])
def test_other_text_is_not_a_time(text: str) -> None:
    assert parse_time(text) is None
