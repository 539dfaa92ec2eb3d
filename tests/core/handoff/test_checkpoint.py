"""Parse checkpoints of any writer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_py.core.handoff import checkpoint
from lisa_py.core.handoff.checkpoint import Checkpoint
from lisa_py.core.inputs import InputError
from lisa_py.store.cursors import CursorFile, EventCursor

TEXT = st.text(max_size=20)


@given(
    st.builds(
        Checkpoint,
        session=st.just("lisa-a"),
        session_state=TEXT,
        next_action=TEXT,
        next_offset=st.integers(0, 1 << 40),
        capture_tail=TEXT,
        cursors=st.builds(
            CursorFile, offset=st.integers(0, 9), events=st.builds(EventCursor, offset=st.integers(0, 9))
        ),
    )
)
def test_written_checkpoint_is_read_back(point: Checkpoint) -> None:
    assert checkpoint.parse(msgspec.json.decode(msgspec.json.encode(point))) == point


def test_handoff_and_foreign_file_are_read_partially() -> None:
    found = checkpoint.parse(
        {"session": "lisa-a", "nextAction": {"name": "session send"}, "risks": [], "objective": None}
    )
    assert (found.next_action, found.version, found.objective) == ("session send", "1", msgspec.UNSET)


@pytest.mark.parametrize("found", [{}, {"session": " "}, {"session": 5}, {"session": "lisa-a", "recent": "x"}])
def test_invalid_checkpoint_is_refused(found: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        checkpoint.parse(found)
