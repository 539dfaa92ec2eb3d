"""Compress and decompress payloads."""

from __future__ import annotations

import base64
import gzip

import pytest

from lisa_py.contract.errors import LisaError
from lisa_py.core.handoff import compression


def test_payload_is_zstandard_and_decompresses() -> None:
    packed = compression.pack(b"abc" * 100)
    assert base64.b64decode(packed.compressed_payload)[:4] == b"\x28\xb5\x2f\xfd"
    assert (packed.compression, packed.encoding) == ("zstd", "base64-zstd")
    assert (packed.uncompressed_bytes, packed.compressed_bytes) == (
        300,
        len(base64.b64decode(packed.compressed_payload)),
    )
    assert compression.unpack(packed.compressed_payload, packed.encoding, packed.checksum) == b"abc" * 100


def test_gzip_payload_of_older_writer_is_read() -> None:
    assert compression.unpack(base64.b64encode(gzip.compress(b"old")).decode(), "base64-gzip") == b"old"


@pytest.mark.parametrize("payload", ["!!", "AAAA", "KLUv/WCx"])
def test_damaged_payload_is_refused(payload: str) -> None:
    with pytest.raises(LisaError) as raised:
        compression.unpack(payload, "base64-zstd")
    assert raised.value.code == "handoff_decompress_failed"


def test_wrong_checksum_is_refused() -> None:
    packed = compression.pack(b"abc")
    with pytest.raises(LisaError):
        compression.unpack(packed.compressed_payload, packed.encoding, "sha256:00")
