"""Decode JSON of any origin, encode lines and documents."""

from __future__ import annotations

import contextlib
import json

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
def test_decode_raises_one_error_for_any_defect(text: bytes | str, kind: type[Record] | None) -> None:
    with pytest.raises(msgspec.DecodeError):
        jsontext.decode(text, kind) if kind else jsontext.decode(text)


def test_decode_reads_valid_json() -> None:
    assert jsontext.decode('{"name":"ä"}', Record) == Record(name="ä")
    assert jsontext.decode(b"[1]") == [1]


@given(some.binary(max_size=200))
def test_decode_accepts_any_bytes(raw: bytes) -> None:
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


PLAIN = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_stream_lines_and_answers_are_encoded_alike(value: object) -> None:
    assert jsontext.encode_event(value) == jsontext.encode(value)


def test_encoders_replace_text_that_is_not_utf8() -> None:
    for encode in (jsontext.encode, jsontext.encode_event, jsontext.encode_document):
        assert jsontext.decode(encode({"name": "a\udcff"})) == {"name": "a\ufffd"}
        assert jsontext.decode(encode(Record(more={"n": 2**70})), dict)["more"] == {"n": 2**70}


def test_encode_document_indents() -> None:
    assert jsontext.encode_document(Record(name="ä")) == '{\n  "name": "ä",\n  "more": {}\n}\n'.encode()


@pytest.mark.parametrize("indent", [0, 1])
@pytest.mark.parametrize("value", [{"a": ["é", 1]}, {"path": "/tmp/\udcff"}], ids=["text", "half a surrogate pair"])
def test_encode_exact_keeps_every_character(value: object, indent: int) -> None:
    encoded = jsontext.encode_exact(value, indent=indent)
    assert json.loads(encoded) == value and encoded.isprintable() == (not indent)
