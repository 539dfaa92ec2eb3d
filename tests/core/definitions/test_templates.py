"""Templates and paths are filled from the data of an event."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lisa_py.core.definitions import templates

EVENT: dict[str, Any] = {
    "routing": {"oid": "o-1", "tags": ["a", {"b": 2}]},
    "event": {"n": 5, "a.b": "dotted", "none": None, "text": "{{ .routing.oid }}"},
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("case {{ .event.n }} of {{.routing.oid}}", "case 5 of o-1"),
        ("{{- .routing.tags.1 -}}", '{"b":2}'),
        ("{{ .event.none }}", "null"),
        ("{{ .event.text }}", "{{ .routing.oid }}"),
        ("{{ .event.no }} {{ .x }}", "{{ .event.no }} {{ .x }}"),
        ("{{ if .x }} {{ range }} {{", "{{ if .x }} {{ range }} {{"),
        ("<oid>", "<oid>"),
    ],
)
def test_fills_placeholders(text: str, shown: str) -> None:
    missing: list[str] = []
    assert templates.render_text(text, EVENT, missing.append) == shown
    assert missing == (["{{ .event.no }}", "{{ .x }}"] if ".event.no }}" in text else [])


def test_extracts_paths_and_templates() -> None:
    missing: list[str] = []
    paths = {
        "oid": "routing.oid",
        "all": "@this",
        "number": "{{ .event.n }}",
        "mixed": "n={{ .event.n }}",
        "dotted": "event.a\\.b",
        "second": "@this.routing.tags.1.b",
        "no": "routing.tags.9",
        "other": "{{ .nope }}",
    }
    found = templates.extract_data(paths, EVENT, missing.append)
    assert found == {"oid": "o-1", "all": EVENT, "number": 5, "mixed": "n=5", "dotted": "dotted", "second": 2}
    assert missing == ["no: routing.tags.9", "other: {{ .nope }}"]


def test_block_is_sorted_yaml_in_a_fence() -> None:
    assert templates.format_block({"b": {"d": 1, "c": [1, "x"]}, "a": "t"}) == (
        "\n\nEvent data:\n```yaml\na: t\nb:\n  c:\n  - 1\n  - x\n  d: 1\n```"
    )
    assert templates.format_block({}) == ""


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers() | st.lists(st.booleans()), min_size=1))
def test_block_holds_the_data(data: dict[str, Any]) -> None:
    block = templates.format_block(data)
    assert yaml.safe_load(block.removeprefix("\n\nEvent data:\n```yaml\n").removesuffix("\n```")) == data
