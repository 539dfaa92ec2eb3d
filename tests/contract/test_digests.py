"""The digests are those of hashlib, with and without the small modules."""

from __future__ import annotations

import hashlib
import sys
import uuid

import pytest

from lisa_py.contract import digests

TEXT = "naïve\udcff".encode("utf-8", "surrogateescape")
SMALL_MODULES = ("_md5", "_sha1", "_sha256", "_sha2")


@pytest.mark.parametrize("missing", [("hashlib",), SMALL_MODULES], ids=["small modules", "only hashlib"])
@pytest.mark.parametrize("name", ["md5", "sha1", "sha256"])
def test_digests_equal_those_of_hashlib(monkeypatch: pytest.MonkeyPatch, name: str, missing: tuple[str, ...]) -> None:
    for module in missing:
        monkeypatch.setitem(sys.modules, module, None)
    made = getattr(digests, name)()
    made.update(TEXT)
    assert made.hexdigest() == getattr(hashlib, name)(TEXT).hexdigest() == getattr(digests, name)(TEXT).hexdigest()


def test_made_uuids_equal_those_of_uuid5() -> None:
    namespace = uuid.UUID("3b0f2c52-6f0e-5d0a-9a53-1f6a9b0f4e11")
    assert digests.make_uuid(namespace.bytes, "run:/a/b") == str(uuid.uuid5(namespace, "run:/a/b"))
