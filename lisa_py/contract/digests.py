"""Digests from the modules that hashlib is made of: hashlib itself loads OpenSSL, which takes 4 ms."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hashlib import _Hash as Digest

_SHA256_MODULE = "_sha2" if sys.version_info >= (3, 12) else "_sha256"


def md5(data: bytes = b"") -> Digest:
    """Return an MD5 digest, for names only: no protection against forgery."""
    made: Digest = _find("_md5", "md5")(data, usedforsecurity=False)
    return made


def sha1(data: bytes = b"") -> Digest:
    """Return a SHA-1 digest, for names only: no protection against forgery."""
    made: Digest = _find("_sha1", "sha1")(data, usedforsecurity=False)
    return made


def sha256(data: bytes = b"") -> Digest:
    """Return a SHA-256 digest."""
    made: Digest = _find(_SHA256_MODULE, "sha256")(data)
    return made


def make_uuid(namespace: bytes, name: str) -> str:
    """Return the UUID, version 5, of a name: as uuid.uuid5, whose module loads OpenSSL and platform."""
    raw = bytearray(sha1(namespace + name.encode("utf-8", "surrogateescape")).digest()[:16])
    raw[6], raw[8] = raw[6] & 0x0F | 0x50, raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _find(module: str, name: str) -> Any:
    """Return the constructor of the small module, or that of hashlib if this Python was built without it."""
    try:
        return getattr(__import__(module), name)
    except ImportError:
        return getattr(__import__("hashlib"), name)
