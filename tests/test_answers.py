"""The schema check of the tests detects violations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.answers import check_answer, check_event

EXISTS = ("session", "exists", "--session", "lisa-x")
WATCH = ("session", "wait", "--stream-json")
FINE: dict[str, Any] = {"session": "lisa-x", "exists": True, "projectRoot": "/p", "stderrPolicy": "diagnostic"}
FAILED: dict[str, Any] = {"ok": False, "errorCode": "tmux_missing", "error": "no tmux", "stderrPolicy": "diagnostic"}


def out(*lines: dict[str, Any]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_declared_answer_passes() -> None:
    check_answer((*EXISTS, "--json"), 0, out(FINE))
    check_answer((*EXISTS, "--json"), 1, out({**FAILED, "detail": 7}))
    check_answer(("session", "nope", "--json"), 1, out({**FAILED, "errorCode": "unknown_command"}))
    check_answer(EXISTS, 0, "anything")
    check_answer((*EXISTS, "--json", "--help"), 0, "anything")
    check_answer((*EXISTS, "--json"), -9, "")
    check_answer((*WATCH,), -9, '{"half')


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param((*EXISTS, "--json"), 0, out({**FINE, "exists": "yes"}), id="another type"),
        pytest.param((*EXISTS, "--json"), 0, out({**FINE, "more": 1}), id="a key of no promise"),
        pytest.param((*EXISTS, "--json"), 0, out({"exists": True, "stderrPolicy": "diagnostic"}), id="a key left out"),
        pytest.param((*EXISTS, "--json-min"), 0, out(FINE), id="the other form"),
        pytest.param((*EXISTS, "--json"), 0, out(FINE, FINE), id="a line before the answer"),
        pytest.param((*EXISTS, "--json"), 0, "", id="nothing"),
        pytest.param((*EXISTS, "--json"), 7, out(FINE), id="an exit code of no promise"),
        pytest.param((*EXISTS, "--json"), 0, out(FAILED), id="a failure that is none to the shell"),
        pytest.param((*EXISTS, "--json"), 1, out({**FAILED, "errorCode": "bad_luck"}), id="a code of no promise"),
        pytest.param((*EXISTS, "--json"), 1, out({**FAILED, "error": 7}), id="a failure without words"),
        pytest.param(("session", "nope", "--json"), 1, out({**FAILED, "errorCode": "lost"}), id="no command's code"),
        pytest.param(WATCH, -9, out({"half": "a line"}), id="a line that is no event"),
    ],
)
def test_undeclared_answer_fails(words: tuple[str, ...], code: int, said: str) -> None:
    with pytest.raises(AssertionError):
        check_answer(words, code, said)


def test_nested_field_is_checked() -> None:
    row = {"session": "lisa-x"}
    tree = {"nodeCount": 1, "totalNodeCount": 1, "filteredNodeCount": 0, "stderrPolicy": "diagnostic"}
    check_answer(("session", "tree", "--json-min"), 0, out({**tree, "rows": [row]}))
    with pytest.raises(AssertionError):
        check_answer(("session", "tree", "--json-min"), 0, out({**tree, "rows": [{**row, "mood": "fine"}]}))
    with pytest.raises(AssertionError):
        check_event(("session", "exists"), FINE)
