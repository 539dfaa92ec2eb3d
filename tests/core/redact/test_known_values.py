"""Known values are masked wherever they occur."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_py.core.redact.known_values import mask_values

MARK = "[REDACTED_SECRET]"


@pytest.mark.parametrize(
    ("text", "values", "shown"),
    [
        ("key sk-12345 used", ["sk-12345"], f"key {MARK} used"),
        ("abcdef-long abcdef", ["abcdef", "abcdef-long"], f"{MARK} {MARK}"),
        ("true and 8080", ["true", "8080"], "true and 8080"),
        (json.dumps({"k": 'a"b\\cdef'}), ['a"b\\cdef'], json.dumps({"k": MARK})),
        (json.dumps({"k": 'schlü"ssel'}, ensure_ascii=False), ['schlü"ssel'], json.dumps({"k": MARK})),
        ("BEGIN\nMIIEvQIBADANBgkqhkiG\nEND", ["BEGIN\nMIIEvQIBADANBgkqhkiG\nEND\n"], f"{MARK}\n\n"),
        ("> MIIEvQIBADANBgkqhkiG", ["BEGIN\nMIIEvQIBADANBgkqhkiG\nEND\n"], f"> {MARK}"),
        ("", ["secret-value"], ""),
    ],
)
def test_masks_values(text: str, values: list[str], shown: str) -> None:
    assert mask_values(text, values) == shown


def test_masks_a_value_wrapped_at_the_pane_edge() -> None:
    value = "".join(f"{number:03}" for number in range(40))
    text = f"echo {value[:70]}\n  {value[70:]} done"
    assert mask_values(text, [value]) == f"echo {MARK}\n done"


@given(st.text(min_size=6).filter(lambda text: len(text.strip()) >= 6), st.text(), st.text())
def test_no_value_remains(value: str, before: str, after: str) -> None:
    shown = mask_values(before + value + after, [value])
    assert value.strip() not in shown.replace(MARK, "") or value.strip() in MARK
