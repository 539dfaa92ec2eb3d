"""The path language of --until-jsonpath."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lisa_py.core.wait.jsonpath import parse

STATUS: dict[str, Any] = {
    "sessionState": "waiting_input",
    "todosDone": 3,
    "agentCpu": 1.5,
    "signals": {"heartbeatFresh": True, "outputFresh": False, "reports": [], "runId": "17"},
    "activeTask": " ",
    "nothing": None,
}


@pytest.mark.parametrize(
    "expression",
    [
        "sessionState=waiting_input",
        "$.sessionState=waiting_input",
        "$sessionState = waiting_input",
        ".sessionState='waiting_input'",
        'sessionState="waiting_input"',
        "sessionState",
        "signals.heartbeatFresh",
        "signals.heartbeatFresh=TRUE",
        "signals.outputFresh=false",
        "todosDone=3",
        "todosDone=3.0",
        "agentCpu=1.5",
        "signals.reports=[]",
        "nothing=null",
        " signals . runId = 17 ",
    ],
)
def test_it_matches(expression: str) -> None:
    assert parse(expression).matches(STATUS)


@pytest.mark.parametrize(
    "expression",
    [
        "sessionState=idle",
        "signals.outputFresh",
        "signals.heartbeatFresh=yes",
        "todosDone=three",
        "missing",
        "missing=1",
        "sessionState.deeper",
        "signals.reports",
        "activeTask",
        "nothing",
    ],
)
def test_it_does_not_match(expression: str) -> None:
    assert not parse(expression).matches(STATUS)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("", "cannot be empty"),
        ("  ", "cannot be empty"),
        ("sessionState=", "expected value"),
        ("$", "must contain a field path"),
        ("=1", "must contain a field path"),
        ("a..b", "invalid jsonpath segment"),
        ("a.", "invalid jsonpath segment"),
    ],
)
def test_invalid_expression_error_names_the_reason(expression: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(expression)


def test_first_equals_sign_is_the_separator() -> None:
    assert parse("a=b=c").matches({"a": "b=c"})


KEYS = st.text(
    st.characters(codec="utf-8", exclude_characters=".=$", exclude_categories=["Z", "C"]), min_size=1, max_size=8
)
SCALARS = st.one_of(st.booleans(), st.integers(-(10**6), 10**6), st.text("abcXYZ_-é", min_size=1, max_size=8))


@given(st.lists(KEYS, min_size=1, max_size=5), SCALARS, st.booleans())
def test_path_matches_only_its_own_value(keys: list[str], value: object, rooted: bool) -> None:
    tree: object = value
    for key in reversed(keys):
        tree = {key: tree}
    path = ("$." if rooted else "") + ".".join(keys)
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    assert parse(f"{path}={text}").matches(tree)
    assert parse(path).matches(tree) == bool(value)
    assert not parse(f"{path}.deeper").matches(tree)
    assert not parse(f"{path}={text}x").matches(tree)


@given(
    st.text(max_size=40),
    st.recursive(st.none() | SCALARS, lambda inner: st.dictionaries(KEYS, inner) | st.lists(inner)),
)
def test_any_text_parses_or_raises_value_error(text: str, value: object) -> None:
    try:
        path = parse(text)
    except ValueError as problem:
        assert str(problem)
    else:
        assert path.matches(value) in (True, False)
