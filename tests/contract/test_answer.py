"""Tests of the base class of answers."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from lisa_py.contract.answer import Answer


class Inner(Answer):
    optional_part: str | UnsetType = UNSET
    session_state: str


class Extended(Inner):
    next_action: str


def test_answers_have_camel_case_keys_and_omit_unset_fields() -> None:
    assert msgspec.to_builtins(Extended(session_state="idle", next_action="")) == {
        "sessionState": "idle",
        "nextAction": "",
    }


def test_answers_are_frozen_and_keyword_only() -> None:
    answer = Inner(session_state="idle")
    with pytest.raises(AttributeError):
        answer.session_state = "busy"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Inner("idle")  # type: ignore[call-arg, misc]
