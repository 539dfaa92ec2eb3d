"""Decisions to make a call again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_py.client import Retry
from lisa_py.client.retry import Failure, HttpReply, read_retry_after

NOW = 1_700_000_000.0


def reply(status: int, **headers: str) -> HttpReply:
    return HttpReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_delay_doubles_until_the_last_attempt(status: int) -> None:
    delays = [Retry().choose_delay(n, reply(status), is_repeatable=True, now=NOW) for n in range(4)]
    assert delays == [1.0, 2.0, 4.0, None]


def test_only_idempotent_calls_are_repeated() -> None:
    for outcome in (reply(503), reply(429, retry_after="1"), Failure("timeout", ""), Failure("lost", "")):
        assert Retry().choose_delay(0, outcome, is_repeatable=True, now=NOW) is not None
        assert Retry().choose_delay(0, outcome, is_repeatable=False, now=NOW) is None


def test_unsent_call_is_repeated() -> None:
    assert Retry().choose_delay(0, Failure("unreachable", ""), is_repeatable=False, now=NOW) == 1.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 412, 413, 422, 500, 501])
def test_refusals_are_final(status: int) -> None:
    assert Retry().choose_delay(0, reply(status), is_repeatable=True, now=NOW) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("", None),
        ("-3", None),
        ("soon", None),
        ("٣", None),
    ],
)
def test_header_holds_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert read_retry_after({"retry-after": text}, NOW) == seconds


def test_server_sets_the_delay_up_to_the_maximum() -> None:
    rule = Retry(max_delay=30)
    assert rule.choose_delay(0, reply(429, retry_after="30"), is_repeatable=True, now=NOW) == 30
    assert rule.choose_delay(2, reply(503, retry_after="0"), is_repeatable=True, now=NOW) == 0
    assert rule.choose_delay(0, reply(429, retry_after="31"), is_repeatable=True, now=NOW) is None


@settings(deadline=None)
@given(st.integers(0, 60), st.sampled_from([429, 503]), st.text(max_size=12), st.booleans())
def test_any_header_gives_a_limited_wait(retries: int, status: int, header: str, may_repeat: bool) -> None:
    rule = Retry(max_retries=60)
    delay = rule.choose_delay(retries, reply(status, retry_after=header), is_repeatable=may_repeat, now=NOW)
    assert delay is None or (may_repeat and 0 <= delay <= rule.max_delay)
