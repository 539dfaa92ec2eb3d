"""Parse handoffs of any writer."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_py.contract.errors import LisaError
from lisa_py.core.handoff import compression, handoff_reader
from lisa_py.core.inputs import InputError

RECENT = [{"at": "t", "type": "transition", "state": "in_progress", "reason": "r", "seq": 4}]


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("session send", "session send"),
        ({"name": "session send", "command": "lisa session send"}, "session send"),
        ({"command": "lisa session send"}, "lisa session send"),
        (None, ""),
    ],
)
def test_next_action_may_be_a_name_or_an_object(action: object, name: str) -> None:
    assert handoff_reader.parse({"session": "lisa-a", "nextAction": action}).next_action == name


def test_state_object_of_later_schemas_is_sufficient() -> None:
    found = handoff_reader.parse({"state": {"status": "idle", "sessionState": "waiting_input", "reason": "r"}})
    assert (found.status, found.session_state, found.reason) == ("idle", "waiting_input", "r")


@pytest.mark.parametrize("older", [False, True])
def test_compressed_handoff_is_decompressed(older: bool) -> None:
    inner = json.dumps({"session": "lisa-a", "recent": RECENT, "lane": {"name": "ok"}}).encode()
    packed: dict[str, Any] = msgspec.to_builtins(compression.pack(inner))
    if older:
        packed = {"compressedPayload": base64.b64encode(gzip.compress(inner)).decode(), "encoding": "base64-gzip"}
    found = handoff_reader.parse({"session": "lisa-a", **packed})
    assert ([item.seq for item in found.recent], found.lane) == ([4], "ok")


def test_damaged_compressed_handoff_is_refused() -> None:
    packed: dict[str, Any] = msgspec.to_builtins(compression.pack(b"{}"))
    with pytest.raises(LisaError, match="checksum"):
        handoff_reader.parse({**packed, "checksum": "sha256:00"})


@pytest.mark.parametrize(
    "payload",
    [
        [],
        {"recent": {}},
        {"recent": ["x"]},
        {"session": 5},
        {"objective": "x"},
        {"memory": {"lines": 4}},
        {"ok": False, "error": "no such session"},
    ],
)
def test_invalid_handoff_is_refused(payload: object) -> None:
    with pytest.raises(InputError):
        handoff_reader.parse(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("session", "nextAction", "nextOffset", "recent", "memory", "objective", "lane", "state", "compressedPayload")


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_object_is_read_or_refused(payload: dict[str, Any]) -> None:
    try:
        assert handoff_reader.parse(payload).next_offset >= 0
    except (InputError, LisaError) as problem:
        assert str(problem)
