"""Stores read back any content they write."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from lisa_py.store import json_records, registry_snapshot
from lisa_py.store.context_cache import ContextCache, ContextCacheRecord
from lisa_py.store.lanes import Lane, Lanes
from lisa_py.store.objectives import Objective, Objectives, is_expired
from lisa_py.store.registry_snapshot import RegistrySnapshot
from lisa_py.store.session_memory import SessionMemory

WORD = st.text(max_size=12)
LINES = st.lists(WORD, max_size=4).map(tuple)
LANES = st.builds(Lanes, lanes=st.dictionaries(WORD, st.builds(Lane, name=WORD, goal=WORD, prompt=WORD), max_size=3))
GOALS = st.builds(
    Objectives,
    current_id=WORD,
    objectives=st.dictionaries(WORD, st.builds(Objective, id=WORD, goal=WORD, budget=st.integers(0, 9)), max_size=3),
)
MEMORY = st.builds(SessionMemory, session=WORD, updated_at=WORD, max_lines=st.integers(0, 999), lines=LINES)
CACHE = st.builds(
    ContextCache,
    items=st.dictionaries(WORD, st.builds(ContextCacheRecord, key=WORD, sessions=LINES, lines=LINES), max_size=3),
)


@settings(deadline=None, max_examples=60)
@given(LANES | GOALS | MEMORY | CACHE)
def test_store_reads_its_own_files(content: Struct) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "store.json")
        json_records.save(path, content)
        assert json_records.load(path, type(content)) == content


@settings(deadline=None, max_examples=60)
@given(GOALS, LANES, CACHE, MEMORY)
def test_snapshot_reads_its_own_files(
    goals: Objectives, lanes: Lanes, cache: ContextCache, memory: SessionMemory
) -> None:
    memories = {"lisa-a-1": memory}
    snapshot = RegistrySnapshot(
        project_root="/p", objective_store=goals, lane_store=lanes, memories=memories, context_cache=cache
    )
    assert registry_snapshot.parse(msgspec.json.encode(snapshot)) == snapshot


@pytest.mark.parametrize(
    ("stamp", "gone"),
    [
        ("1970-01-01T00:16:39Z", True),
        ("1970-01-01T00:16:40Z", False),  # exactly now is not expired
        ("", False),
        ("soon", False),
        ("1970-01-01", True),
    ],
)
def test_only_a_readable_time_before_now_is_expired(stamp: str, gone: bool) -> None:
    assert is_expired(stamp, 1000.0) is gone
