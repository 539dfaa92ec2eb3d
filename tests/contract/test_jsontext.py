"""Reading JSON of any origin."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import Struct

from lisa_py.contract import jsontext


class Record(Struct):
    name: str = ""
    more: dict[str, object] = {}


@pytest.mark.parametrize("kind", [None, Record])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"name":"\xff"}', id="bytes that are no UTF-8"),
        pytest.param('{"name":"\udcff"}', id="half a character from the command line"),
        pytest.param(b'{"more":' * 50_000, id="endless objects"),
        pytest.param(b'{"more":{"a":' + b"[" * 50_000, id="endless lists"),
        pytest.param(b'{"name":"a', id="cut"),
        pytest.param(b"", id="empty"),
        pytest.param(b'{"name":1e999}', id="number out of range"),
    ],
)
def test_whatever_is_wrong_is_one_kind_of_error(text: bytes | str, kind: type[Record] | None) -> None:
    with pytest.raises(msgspec.DecodeError):
        jsontext.decode(text, kind) if kind else jsontext.decode(text)


def test_what_is_sound_is_read() -> None:
    assert jsontext.decode('{"name":"ä"}', Record) == Record(name="ä")
    assert jsontext.decode(b"[1]") == [1]


@given(some.binary(max_size=200))
def test_no_bytes_break_it(raw: bytes) -> None:
    for text in (
        raw,
        b'{"name":"' + raw + b'"}',
        b'{"more":{"x":"' + raw + b'"}}',
        raw.decode("utf-8", "surrogateescape"),
    ):
        with contextlib.suppress(msgspec.DecodeError):
            jsontext.decode(text)
        with contextlib.suppress(msgspec.DecodeError):
            jsontext.decode(text, Record)
