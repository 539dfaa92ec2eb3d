"""The path language of --until-jsonpath."""

from __future__ import annotations

from typing import Any

import pytest

from lisa_py.core.watch.jsonpath import parse

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
def test_a_bad_expression_says_what_is_wrong(expression: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(expression)


def test_only_the_first_equals_sign_divides() -> None:
    assert parse("a=b=c").matches({"a": "b=c"})
