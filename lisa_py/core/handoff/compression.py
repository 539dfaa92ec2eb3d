"""Compress a payload to one line of text and back: zstandard, base64, with a checksum."""

from __future__ import annotations

import base64
import binascii
import sys
from typing import Any

from lisa_py.contract import digests
from lisa_py.contract.answer import Answer
from lisa_py.contract.errors import LisaError

ENCODING = "base64-zstd"
_GZIP = "base64-gzip"
_LEVEL = 9


class CompressedPayload(Answer):
    compression: str
    encoding: str
    compressed_payload: str
    uncompressed_bytes: int
    compressed_bytes: int
    checksum: str
    """`sha256:` and the hex digest of the uncompressed bytes."""


def pack(raw: bytes) -> CompressedPayload:
    """Compress a payload. Raise LisaError(handoff_compress_failed)."""
    try:
        compressed = _zstd().compress(raw, level=_LEVEL)
    except Exception as problem:
        raise LisaError("handoff_compress_failed", f"zstd: {problem}") from problem
    return CompressedPayload(
        compression="zstd",
        encoding=ENCODING,
        compressed_payload=base64.b64encode(compressed).decode(),
        uncompressed_bytes=len(raw),
        compressed_bytes=len(compressed),
        checksum=_checksum(raw),
    )


def unpack(payload: str, encoding: str, checksum: str = "") -> bytes:
    """Decompress a payload; base64-gzip of older writers is supported, too.

    Raise LisaError(handoff_decompress_failed), also if the checksum does not match.
    """
    try:
        compressed = base64.b64decode(payload, validate=True)
        if encoding == _GZIP:
            import gzip  # noqa: PLC0415 - older payloads only

            raw = gzip.decompress(compressed)
        else:
            raw = bytes(_zstd().decompress(compressed))
    except (binascii.Error, OSError, EOFError, ValueError, _zstd().ZstdError) as problem:
        raise LisaError("handoff_decompress_failed", f"the compressed payload is damaged: {problem}") from problem
    if checksum and checksum != _checksum(raw):
        raise LisaError("handoff_decompress_failed", "the compressed payload does not match its checksum")
    return raw


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - only when something is packed
    else:
        from backports import zstd  # noqa: PLC0415
    return zstd


def _checksum(raw: bytes) -> str:
    return "sha256:" + digests.sha256(raw).hexdigest()
