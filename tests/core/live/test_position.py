"""The text form of a position in a conversation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_py.contract.errors import LisaError
from lisa_py.core.live.position import LivePosition, name_transcript, parse_cursor


@given(offset=st.integers(0, 2**60), skip=st.integers(0, 99), path=st.text(min_size=1))
def test_transcript_position_survives_its_text_form(offset: int, skip: int, path: str) -> None:
    position = LivePosition(source=name_transcript(path), offset=offset, skip=skip)
    assert parse_cursor(position.encode()) == position


@given(offset=st.integers(0, 2**60))
def test_pane_position_survives_its_text_form(offset: int) -> None:
    assert parse_cursor(LivePosition(offset=offset).encode()) == LivePosition(offset=offset)


@pytest.mark.parametrize("text", ["x", "t.", "t.a.b.c", "t.ab.1", "p.", "p.-1", "p.1.2", "t.ab.1.2.3", "p.\u0661"])
def test_malformed_cursor_is_refused(text: str) -> None:
    with pytest.raises(LisaError) as problem:
        parse_cursor(text)
    assert problem.value.code == "invalid_cursor" and text in problem.value.message
