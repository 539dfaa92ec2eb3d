"""Dotted fields and comparison of payloads."""

from __future__ import annotations

import pytest

from lisa_py.contract.errors import UsageError
from lisa_py.core.handoff import fields

PAYLOAD = {"a": 1, "b": {"c": [1, 2], "d": None}, "e": {}}


def test_paths_select_fields_and_unknown_ones_are_ignored() -> None:
    assert fields.project(PAYLOAD, ("b.c", "a", "b.x", "a.z", "nope")) == {"a": 1, "b": {"c": [1, 2]}}


def test_flattened_arrays_are_leaves() -> None:
    assert fields.flatten(PAYLOAD) == {"a": 1, "b.c": [1, 2], "b.d": None, "e": {}}


@pytest.mark.parametrize("csv", ["a..b", ".a", "a.", ","])
def test_invalid_paths_are_refused(csv: str) -> None:
    with pytest.raises(UsageError) as raised:
        fields.parse(csv)
    assert raised.value.code == "invalid_fields"


def test_blank_selects_all_fields() -> None:
    assert fields.parse(" ") == ()


def test_differences_are_sorted() -> None:
    found = fields.compare({"a": 1, "b": 2, "x": None}, {"b": 3, "c": 4, "a": 1, "d": None})
    assert [change.field for change in found.added] == ["c", "d"]
    assert [(change.field, change.before) for change in found.removed] == [("x", None)]
    assert [(change.field, change.before, change.after) for change in found.changed] == [("b", 2, 3)]
    assert found.count == 4
